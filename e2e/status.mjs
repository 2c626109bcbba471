// node status.mjs STATUS_URL SESSION_URL SHOTS: opens the status page, then two
// sessions that carry 1000 bytes each way; ends one of them on the page.
import { chromium } from 'playwright-core';
import { WebSocket } from 'ws';

const [page_url, session_url, shot] = process.argv.slice(2);
const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox', '--disable-gpu'] });
const page = await browser.newPage({ viewport: { width: 1100, height: 900 } });
page.setDefaultTimeout(60_000);
page.on('console', (message) => message.type() === 'error' && console.log('console:', message.text()));
page.on('dialog', (dialog) => dialog.accept());
page.on('pageerror', (error) => console.log('page:', error.message));
await page.goto(page_url);
await page.locator('#no-sessions').waitFor({ state: 'visible' });

const session = () => new Promise((resolve) => {
  const socket = new WebSocket(session_url);
  let back = 0;
  socket.on('open', () => socket.send(Buffer.alloc(1000)));
  socket.on('message', (data) => { back += data.length; if (back === 1000) resolve(socket); });
});
const sockets = [await session(), await session()];
const closed = new Promise((resolve) => sockets.forEach((s) => s.on('close', (code, reason) => resolve(`${code} ${reason}`))));

const rows = page.locator('#table tr');
await page.waitForFunction(() => document.querySelectorAll('#table tr').length === 2);
await page.locator('#connects-total', { hasText: /^2$/ }).waitFor();
console.log('to target:', await page.locator('#to-target-total').textContent());
await page.screenshot({ path: shot });
await rows.first().getByRole('button').click();
console.log('closed:', await closed);
await page.waitForFunction(() => document.querySelectorAll('#table tr').length === 1);
console.log('one is left');
await browser.close();
sockets.forEach((s) => s.close());
