// node echo_hybi8.mjs URL SIZE...: sends standard input as messages of these
// sizes by ws of 2014, which still speaks version 8, and writes what comes back
// until all of it is there.
import { readFileSync } from 'node:fs';
import WebSocket from 'ws-0.5';

const [url, ...sizes] = process.argv.slice(2);
const payload = readFileSync(0);
const socket = new WebSocket(url, { protocolVersion: 8, origin: 'http://page.example' });
const back = [];
let missing = payload.length;

socket.on('open', () => {
  let at = 0;
  for (const size of sizes.map(Number)) {
    socket.send(payload.subarray(at, at += size), { binary: true, mask: true });
  }
});
socket.on('message', (data) => {
  back.push(data);
  if ((missing -= data.length) === 0) socket.close();
});
socket.on('close', () => process.stdout.write(Buffer.concat(back)));
