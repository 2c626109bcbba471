// node desktop.mjs TASK: uses a desktop as a person would, by noVNC in a
// headless Chromium, and looks at the pixels of noVNC's canvas. TASK is JSON,
// the type `task` of desktop_test.go.
import { chromium } from 'playwright-core';

const task = JSON.parse(process.argv[2]);
const canvas = 'canvas:not(#noVNC_cursor)';

const browser = await chromium.launch({
  executablePath: task.chromium,
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
    '--disable-background-networking', '--disable-component-update', '--disable-sync'],
});
try {
  await use(await browser.newPage({ ignoreHTTPSErrors: true }));
} finally {
  await browser.close();
}

async function use(page) {
  page.setDefaultTimeout(90000);
  page.on('console', (message) => console.error(`page: ${message.text()}`));
  page.on('pageerror', (error) => console.error(`page: ${error}`));
  try {
    await page.goto(task.url);
    await see(page, task.before);
    await shoot(page, 'connected');
    await work(page);
    await see(page, task.after);
  } finally {
    await shoot(page, 'used');
  }
}

// work writes a word from the xterm's first line into a file, by mouse, and
// gives the desktop another colour, by keyboard. X gives the keyboard to the
// window under the mouse: the first line typed goes nowhere.
async function work(page) {
  const box = await page.locator(canvas).first().boundingBox();
  const [x, y] = [box.x + task.word[0], box.y + task.word[1]];
  await page.mouse.click(x - 100, y - 100);
  await page.keyboard.type(`touch ${task.file}.astray\n`);
  await page.mouse.move(x, y, { steps: 10 });
  await page.mouse.dblclick(x, y, { delay: 50 });
  await page.keyboard.type(`cat > ${task.file}\n`);
  await page.mouse.click(x, y, { button: 'middle', delay: 50 });
  await page.keyboard.type('\n');
  await page.keyboard.press('Control+d');
  await page.keyboard.type(`xsetroot -solid "${task.colour}"\n`);
}

// see waits until noVNC's canvas has these pixels.
async function see(page, pixels) {
  await page.waitForFunction(([canvas, pixels]) => {
    const context = document.querySelector(canvas)?.getContext('2d');
    return context && pixels.every(([x, y, colour]) => {
      const seen = context.getImageData(x, y, 1, 1).data;
      return colour.every((value, i) => value === seen[i]);
    });
  }, [canvas, pixels]);
}

async function shoot(page, name) {
  await page.screenshot({ path: `${task.shots}-${name}.png` });
}
