// node recipe.mjs CHROMIUM URL PIXELS: opens noVNC at URL, waits until its canvas
// has these pixels, [[x, y, [r, g, b]], ...], and says by which HTTP the session
// came. A file that the page asks for in vain is a failure, but for package.json,
// which Debian leaves out.
import { chromium } from 'playwright-core';

const [executablePath, url, pixels] = process.argv.slice(2);
const browser = await chromium.launch({
  executablePath,
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
    '--disable-background-networking', '--disable-component-update', '--disable-sync'],
});
try {
  await look(await browser.newPage({ ignoreHTTPSErrors: true }));
} finally {
  await browser.close();
}

async function look(page) {
  page.setDefaultTimeout(90000);
  page.on('console', (message) => console.error(`page: ${message.text()}`));
  page.on('response', (answer) => {
    if (answer.status() < 400 || answer.url().endsWith('/package.json')) return;
    console.error(`${answer.status()} for ${answer.url()}`);
    process.exitCode = 1;
  });
  const network = await page.context().newCDPSession(page);
  await network.send('Network.enable');
  network.on('Network.webSocketHandshakeResponseReceived', ({ response }) => {
    // In HTTP/2 a session is opened by a 200 (RFC 8441, 5).
    console.log(`session by HTTP/${response.status === 200 ? '2' : '1.1'}`);
  });
  await page.goto(url);
  await page.waitForFunction((pixels) => {
    const context = document.querySelector('canvas:not(#noVNC_cursor)')?.getContext('2d');
    return context && pixels.every(([x, y, colour]) => {
      const seen = context.getImageData(x, y, 1, 1).data;
      return colour.every((value, i) => value === seen[i]);
    });
  }, JSON.parse(pixels));
}
