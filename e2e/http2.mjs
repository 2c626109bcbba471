// node http2.mjs URL: opens the page at URL, and from it sessions that carry
// random bytes there and back; then one that each side closes.
import { chromium } from 'playwright-core';

const url = process.argv[2];
const browser = await chromium.launch({
  executablePath: '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--ignore-certificate-errors'],
});
const page = await (await browser.newContext({ ignoreHTTPSErrors: true })).newPage();
page.setDefaultTimeout(60_000);
page.on('pageerror', (error) => console.log('page:', error.message));
await page.goto(url);
console.log('page over', await page.evaluate(() => performance.getEntriesByType('navigation')[0].nextHopProtocol));

await page.evaluate(() => {
  window.open = () => new Promise((resolve, reject) => {
    const socket = new WebSocket(location.href.replace('https', 'wss'), ['binary']);
    socket.binaryType = 'arraybuffer';
    socket.onopen = () => resolve(socket);
    socket.onerror = () => reject(new Error('no session'));
  });
  window.ended = (socket) => new Promise((resolve) => {
    socket.onclose = ({ code, reason, wasClean }) => resolve(`${code} ${reason} ${wasClean ? 'clean' : 'not clean'}`);
  });
  // echo sends n random bytes in messages of all sizes, and tells whether they
  // come back.
  window.echo = async (n) => {
    const socket = await window.open();
    const sent = new Uint8Array(n);
    for (let at = 0; at < n; at += 65536) crypto.getRandomValues(sent.subarray(at, Math.min(n, at + 65536)));
    const back = new Uint8Array(n);
    let got = 0;
    const whole = new Promise((resolve) => {
      socket.onmessage = ({ data }) => {
        back.set(new Uint8Array(data), got);
        got += data.byteLength;
        if (got === n) resolve();
      };
    });
    for (let at = 0, size = 1; at < n; at += size, size = size * 3 % 70001) {
      size = Math.min(size, n - at);
      socket.send(sent.subarray(at, at + size));
    }
    await whole;
    const over = window.ended(socket);
    socket.close(4000, 'done');
    return `${back.every((b, i) => b === sent[i]) ? 'same' : 'other'} bytes, ${await over}`;
  };
});
const echoes = await page.evaluate(() => Promise.all(Array.from({ length: 10 }, (_, i) => window.echo(1000 + i * 111_000))));
console.log([...new Set(echoes)].join('; '));
console.log('target ends:', await page.evaluate(async () => {
  const socket = await window.open();
  const over = window.ended(socket);
  socket.send('leave\n');
  return over;
}));
console.log('asked to leave:', await page.evaluate(async () => {
  const socket = await window.open();
  window.last = window.ended(socket);
  socket.send('stay there\n');
  await new Promise((resolve) => { socket.onmessage = resolve; });
  return 'ready';
}));
console.log('at shutdown:', await page.evaluate(() => window.last));
await browser.close();
