// node echo.mjs URL SIZE...: sends standard input as messages of these sizes
// by Node's ws, and writes what comes back until all of it is there.
import { readFileSync } from 'node:fs';
import { WebSocket } from 'ws';

const [url, ...sizes] = process.argv.slice(2);
const payload = readFileSync(0);
const socket = new WebSocket(url);
const back = [];

socket.on('open', () => {
  let at = 0;
  for (const size of sizes.map(Number)) {
    socket.send(payload.subarray(at, at += size));
  }
});
socket.on('message', (data) => {
  back.push(data);
  if (Buffer.concat(back).length >= payload.length) socket.close();
});
socket.on('close', () => process.stdout.write(Buffer.concat(back)));
