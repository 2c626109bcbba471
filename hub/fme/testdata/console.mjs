// node console.mjs PLAYWRIGHT CHROMIUM URL [FOLDER]: opens streams on the
// console page, sends, and waits for another client's answer and for the table.
// In FOLDER it leaves pictures.
const [playwright, executablePath, url, shots] = process.argv.slice(2);
const { chromium } = await import(playwright);

const browser = await chromium.launch({
  executablePath,
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
    '--disable-background-networking', '--disable-component-update', '--disable-sync'],
});
try {
  await use(await browser.newPage({ viewport: { width: 1100, height: 720 } }));
} finally {
  await browser.close();
  process.stdin.destroy();
}

async function use(page) {
  const trouble = [];
  page.on('console', (m) => m.type() === 'error' && trouble.push(m.text()));
  page.on('pageerror', (e) => trouble.push(String(e)));
  await page.goto(url);
  for (const stream of ['news', 'fleet 7']) {
    await page.getByPlaceholder('Name of a stream').fill(stream);
    await page.getByRole('button', { name: 'Open' }).click();
  }
  await page.getByText('connected', { exact: true }).waitFor();
  await page.getByPlaceholder('Message to all').fill('hello from the page');
  await page.keyboard.press('Enter');
  await page.locator('#log').getByText('<b>hello</b> from the other').waitFor();
  await page.getByText('3 on 2 streams').waitFor();
  await shoot(page, 'open');
  await page.getByRole('button', { name: 'Close fleet 7' }).click();
  await page.getByText('2 on 1 stream').waitFor();
  await page.getByRole('button', { name: 'Close news' }).click();
  await page.getByText('no stream open').waitFor();
  await page.setViewportSize({ width: 400, height: 800 });
  await page.emulateMedia({ colorScheme: 'dark' });
  await shoot(page, 'narrow');
  if (trouble.length > 0) throw new Error(trouble.join('\n'));
}

async function shoot(page, name) {
  if (shots) await page.screenshot({ path: `${shots}/console-${name}.png` });
}
