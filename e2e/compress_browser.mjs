// node compress_browser.mjs PAGE URL...: echoes in Chromium, which offers
// permessage-deflate by itself.
import { chromium } from 'playwright-core';

const [page_url, ...urls] = process.argv.slice(2);
const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox', '--disable-gpu'] });
const page = await browser.newPage();
await page.goto(page_url);
for (const url of urls) {
  console.log(await page.evaluate((url) => new Promise((resolve) => {
    const sent = [];
    for (const n of [0, 1, 127, 128, 65535, 65536, 1 << 20]) {
      const noise = new Uint8Array(n);
      for (let at = 0; at < n; at += 65536) crypto.getRandomValues(noise.subarray(at, at + 65536));
      sent.push(noise, new Uint8Array(n).map((_, i) => 97 + (i % 1000) % 26));
    }
    const total = sent.reduce((n, p) => n + p.length, 0);
    const socket = new WebSocket(url);
    socket.binaryType = 'arraybuffer';
    const back = new Uint8Array(total);
    let n = 0;
    socket.onopen = () => sent.forEach((p) => socket.send(p));
    socket.onmessage = ({ data }) => {
      back.set(new Uint8Array(data), n);
      if ((n += data.byteLength) === total) socket.close(4000);
    };
    socket.onclose = ({ code, reason }) => {
      let at = 0;
      const good = code === 4000 && sent.every((p) => p.every((b) => b === back[at++]));
      resolve(`${good ? 'good' : `BAD: ${n} of ${total} bytes, closed ${code} ${reason}`}: ${socket.extensions}`);
    };
  }), url));
}
await browser.close();
