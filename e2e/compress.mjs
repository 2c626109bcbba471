// node compress.mjs URL...: goes through every combination of permessage-deflate's
// parameters with Node's ws, and echoes noise and text of 0 to 1 MB over each.
// One line tells what was answered and what came of it.
import { createHash, randomBytes } from 'node:crypto';
import { WebSocket } from 'ws';

const urls = process.argv.slice(2);
const line = 'all the world is a stage, and all the men and women merely players; ';
const payloads = [0, 1, 127, 128, 129, 4096, 65535, 65536, 300_000, 1 << 20].flatMap((size) => [
  randomBytes(size), Buffer.from(line.repeat(size / line.length + 1)).subarray(0, size),
]);
const sum = (buffers) => createHash('sha256').update(Buffer.concat(buffers)).digest('hex');
const want = sum(payloads);
const total = payloads.reduce((n, p) => n + p.length, 0);

function echo(url, options) {
  return new Promise((resolve) => {
    const socket = new WebSocket(url, { perMessageDeflate: { ...options, threshold: 0 } });
    const back = [];
    let n = 0, pongs = 0;
    socket.on('open', () => payloads.forEach((p, i) => {
      const half = p.length >> 1;
      switch (i % 3) {
        case 0: return socket.send(p);
        case 1: return socket.send(p, { compress: false });
      }
      socket.send(p.subarray(0, half), { fin: false });
      socket.ping();
      socket.send(p.subarray(half));
    }));
    socket.on('message', (data) => {
      back.push(data);
      if ((n += data.length) >= total) socket.close(4000, 'enough');
    });
    socket.on('pong', () => { pongs++; });
    socket.on('error', (error) => resolve(`error: ${error.message}`));
    socket.on('close', (code) => {
      const extension = Object.values(socket._extensions ?? {})[0];
      const params = JSON.stringify(extension?.params ?? null);
      const good = sum(back) === want && code === 4000 && pongs > 0;
      resolve(`${good ? 'good' : `BAD: ${n} of ${total} bytes, ${pongs} pongs, closed ${code}`}: ${params}`);
    });
  });
}

for (const url of urls) {
  for (const serverNoContextTakeover of [false, true]) {
    for (const clientNoContextTakeover of [false, true]) {
      for (const serverMaxWindowBits of [undefined, 8, 11, 15]) {
        for (const clientMaxWindowBits of [undefined, 9, 12, 15]) {
          const options = { serverNoContextTakeover, clientNoContextTakeover, serverMaxWindowBits, clientMaxWindowBits };
          console.log(JSON.stringify(options), await echo(url, options));
        }
      }
    }
  }
}
