// Joins stdin and stdout to a WebSocket: node stdio.mjs URL. Serves as ssh's
// ProxyCommand. Certificates are not checked. Says the close code on stderr.
import { WebSocket, createWebSocketStream } from 'ws';

const socket = new WebSocket(process.argv[2], { rejectUnauthorized: false });
socket.on('close', (code, reason) => console.error(`closed ${code} ${reason}`));
const stream = createWebSocketStream(socket);
stream.on('error', (error) => {
  console.error(error.message);
  process.exitCode = 1;
});
stream.on('close', () => process.stdin.destroy());
process.stdin.pipe(stream).pipe(process.stdout);
