// node upstream.mjs [CERT KEY]: a WebSocket server by Node's ws that prints its
// port. It echoes messages, and "close CODE REASON" makes it close with them;
// "who" is answered with what its handshake was asked.
import { createServer } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import { readFileSync } from 'node:fs';
import { WebSocketServer } from 'ws';

const [cert, key] = process.argv.slice(2);
const http = cert ? createSecureServer({ cert: readFileSync(cert), key: readFileSync(key) }) : createServer();
const server = new WebSocketServer({ server: http, handleProtocols: (offered) => [...offered][0], maxPayload: 64 << 20 });

server.on('connection', (socket, request) => {
  socket.on('error', () => {}); // the other side has been told
  socket.on('message', (data, binary) => {
    const text = binary ? '' : data.toString();
    if (text === 'who') {
      const { url, headers } = request;
      socket.send(JSON.stringify({ url, host: headers.host, cookie: headers.cookie, offered: headers['sec-websocket-protocol'] }));
    } else if (text.startsWith('close')) {
      const [, code, ...reason] = text.split(' ');
      socket.close(code && Number(code), reason.join(' '));
    } else {
      socket.send(data, { binary });
    }
  });
});
http.on('request', (request, answer) => answer.writeHead(426).end());
http.listen(0, '127.0.0.1', () => console.log(`port ${http.address().port}`));
