// node upgrade.mjs URL: prints 101, or the status and body of a refusal.
import { WebSocket } from 'ws';

const socket = new WebSocket(process.argv[2], { rejectUnauthorized: false });
socket.on('open', () => { console.log('101'); socket.close(); });
socket.on('error', () => {});
socket.on('unexpected-response', (request, response) => {
  let body = '';
  response.on('data', (data) => { body += data; });
  response.on('end', () => { console.log(response.statusCode, body.trim()); });
});
