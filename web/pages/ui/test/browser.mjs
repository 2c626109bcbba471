// node browser.mjs TASK: what people do with the pages, in a headless Chromium.
// TASK is JSON: bases, which are URLs of the pages by the way to them, chromium,
// password, display, and patience in milliseconds; browser_test.go starts what is
// behind the URLs. PAGES_ONLY may be a pattern of the stories to tell. Pictures
// go to ../shots.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import test from 'node:test';
import { chromium } from 'playwright-core';
import { contrast, names, tabOrder } from './accessible.mjs';

const task = JSON.parse(process.argv[2]);
const shots = new URL('../shots/', import.meta.url).pathname;
mkdirSync(shots, { recursive: true });

const browser = await chromium.launch({
  executablePath: task.chromium,
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
    '--disable-background-networking', '--disable-component-update', '--disable-sync'],
});

const READBACK = /Canvas2D: Multiple readback/; // of these stories, which look at pixels

/** A page that may neither complain nor ask anybody else for anything. */
async function visit(t, way, path, options = {}) {
  const base = new URL(task.bases[way]);
  const context = await browser.newContext({ viewport: { width: 1100, height: 720 }, ...options });
  const page = await context.newPage(), wrong = [];
  page.setDefaultTimeout(task.patience);
  page.on('console', (message) => {
    const words = message.text();
    if (!['error', 'warning'].includes(message.type()) || READBACK.test(words) || options.mayComplain?.test(words)) return;
    wrong.push(words);
  });
  page.on('pageerror', (error) => wrong.push(String(error.stack)));
  page.on('request', (request) => {
    const url = new URL(request.url());
    if (url.protocol !== 'data:' && (url.host !== base.host || !url.pathname.startsWith(base.pathname))) wrong.push(`asks for ${url}`);
  });
  t.after(async () => {
    await context.close();
    assert.deepEqual(wrong, []);
  });
  await page.addInitScript(listenToStatus);
  await page.goto(new URL(path, base).href);
  return page;
}

/** Keeps in the page what its status has said, also what was there for a moment only. */
function listenToStatus() {
  window.statuses = [];
  const listen = () => {
    const status = document.querySelector('#status');
    if (!status) return;
    const note = () => window.statuses.push(status.textContent);
    new MutationObserver(note).observe(status, { childList: true, characterData: true, subtree: true });
    note();
  };
  document.addEventListener('DOMContentLoaded', listen);
}

/** Waits until the status says words, or has said them. */
const said = (page, words) => page.waitForFunction((words) => window.statuses.some((status) => status.includes(words)), words);

const shoot = (page, way, name) => page.screenshot({ path: `${shots}${name}-${way}.png` });
const status = (page, words) => page.locator('#status', { hasText: words }).waitFor();
const screen = (page) => page.locator('.xterm-rows');

/** What the terminal shows, once it has words. */
async function shows(page, words) {
  await page.waitForFunction(([words]) => document.querySelector('.xterm-rows')?.innerText.replaceAll('\u00a0', ' ').includes(words), [words]);
}

async function logIn(page) {
  await shows(page, 'login:');
  await page.keyboard.type('ada\n');
  await shows(page, 'Password:');
  await page.keyboard.type(`${task.password}\n`);
  await shows(page, '$ ');
}

const only = new RegExp(process.env.PAGES_ONLY ?? '');

const stories = {
  async 'start: what there is, and a test of the way'(t, way) {
    const page = await visit(t, way, '');
    await status(page, '4 targets');
    assert.equal(await page.locator('#offers li').count(), 4);
    for (const [target, found] of [['Redis', /waits for you to speak/], ['Desktop', /RFB 003/], ['Nobody', /target refused/]]) {
      await page.selectOption('#target', { label: target });
      await page.click('#run');
      await page.locator('#steps li', { hasText: found }).waitFor();
    }
    await page.selectOption('#target', { label: 'Desktop' });
    await page.click('#run');
    await page.locator('#steps li', { hasText: /RFB 003/ }).waitFor();
    await shoot(page, way, 'start');
    await page.click('text=Lines >> nth=1');
    await status(page, 'connected');
    assert.match(page.url(), /line\.html\?path=redis$/);
    await page.click('.home');
    await status(page, '4 targets');
  },

  async 'terminal: a login over telnet, and echo shows'(t, way) {
    const page = await visit(t, way, 'terminal.html?path=telnet');
    await status(page, 'connected');
    await logIn(page);
    await page.keyboard.type('echo "a""b" $(stty size); printf "\\033[1;31mred \\033[38;2;40;120;220mtrue\\033[0m\\n"\n');
    await shows(page, 'red true');
    const [, rows, columns] = /ab (\d+) (\d+)/.exec((await screen(page).innerText()).replaceAll('\u00a0', ' '));
    assert.equal(Number(rows), await page.locator('.xterm-rows > div').count(), 'NAWS told the size');
    assert.ok(Number(columns) > 80);
    const colours = await page.locator('.xterm-rows span', { hasText: /red|true/ }).evaluateAll((all) => all.map((one) => getComputedStyle(one).color));
    assert.equal(new Set(colours).size, 3, `colours ${colours} within the policy`);
    await shoot(page, way, 'terminal');

    await page.setViewportSize({ width: 700, height: 500 });
    await page.keyboard.type('clear; until [ $(stty size | cut -d" " -f2) -lt 100 ]; do :; done; echo nar""row\n');
    await shows(page, 'narrow');
    assert.ok(!(await screen(page).innerText()).includes(task.password), 'the server echoes, and no password');

    await page.keyboard.type('seq 200000; echo do""ne\n');
    await shows(page, 'done');

    await page.keyboard.press('Control+F6');
    assert.equal(await page.evaluate(() => document.activeElement.id), 'link');
    await page.click('#screen');
    await page.keyboard.type('exit\n');
    await status(page, 'closed: target closed (1000)');
    await page.click('#link');
    await shows(page, 'login:');
    await page.click('#link');
    await status(page, 'closed by you');
  },

  async 'terminal: raw with local echo, to redis'(t, way) {
    const page = await visit(t, way, 'terminal.html#path=redis&mode=raw&echo=1');
    await status(page, 'connected');
    await page.keyboard.type('PINX');
    await page.keyboard.press('Backspace');
    await page.keyboard.type('G\n');
    await shows(page, '+PONG');
    assert.match(await screen(page).innerText(), /^PING\s+\+PONG/);
  },

  async 'terminal: a screen reader is told'(t, way) {
    const page = await visit(t, way, 'terminal.html?path=telnet&reader=1');
    await page.locator('.xterm-accessibility [role=listitem]', { hasText: 'login:' }).waitFor();
  },

  async 'vnc: a password, the picture, and its changes'(t, way) {
    paint('#246ca8');
    const page = await visit(t, way, 'vnc.html?path=vnc&scale=off', { mayComplain: /Authentication failure|security/i });
    await page.fill('#login-password', 'wrong');
    await page.click('#login .main');
    await status(page, 'the server refused');
    await page.click('#link');
    await page.waitForSelector('#login[open]');
    await shoot(page, way, 'vnc-login');
    await page.fill('#login-password', task.password);
    await page.keyboard.press('Enter');
    await status(page, 'connected to a desk');
    await pixel(page, 0, 0, [0x24, 0x6c, 0xa8]);
    paint('#e07814');
    await pixel(page, 600, 400, [0xe0, 0x78, 0x14]);
    await page.selectOption('#scale', 'fit');
    await shoot(page, way, 'vnc');
    await page.click('#clipboard');
    await page.fill('#clipboard-text', 'from the browser');
    await shoot(page, way, 'vnc-clipboard');
    await page.click('#clipboard-box .main');
    await page.click('#link');
    await status(page, 'closed by you');
    await page.click('#link');
    await page.waitForSelector('#login[open]');
    await page.keyboard.press('Escape');
    await status(page, 'closed by you');
  },

  async 'vnc: a desktop that takes the window\u2019s size'(t, way) {
    const page = await visit(t, way, `vnc.html?scale=remote#path=vnc&password=${task.password}`);
    await status(page, 'connected');
    await page.waitForFunction(() => document.querySelector('#screen canvas').width > 1000);
    await page.selectOption('#scale', 'off');
    execFileSync('xrandr', ['-s', '640x480'], { env: { ...process.env, DISPLAY: task.display } });
    await page.waitForFunction(() => document.querySelector('#screen canvas').width === 640);
  },

  async 'vnc: nobody is there'(t, way) {
    const page = await visit(t, way, 'vnc.html?path=nobody', { mayComplain: /Failed when connecting|Connection closed/ });
    await status(page, 'closed: target refused');
  },

  async 'a connection that fails is tried again'(t, way) {
    for (const [path, words] of [['terminal.html?path=shaky/telnet', 'connected'], ['vnc.html?path=shaky/vnc&password=sesame', 'connected to a desk']]) {
      const page = await visit(t, way, `${path}&reconnect=1`, { mayComplain: /503|on-error|Failed when connecting|Connection closed/ });
      await said(page, 'trying again');
      await status(page, words);
    }
  },

  async 'line: redis answers, and the arrow keys remember'(t, way) {
    const page = await visit(t, way, 'line.html?path=redis');
    await status(page, 'connected');
    for (const line of ['SET colour teal', 'GET colour']) {
      await page.fill('#line', line);
      await page.keyboard.press('Enter');
    }
    await page.locator('#log div', { hasText: /^teal$/ }).waitFor();
    await page.check('#secret');
    await page.fill('#line', 'ECHO hush');
    await page.keyboard.press('Enter');
    await page.locator('#log div', { hasText: /^hush$/ }).waitFor();
    await page.uncheck('#secret');
    await page.press('#line', 'ArrowUp');
    await page.press('#line', 'ArrowUp');
    assert.equal(await page.inputValue('#line'), 'SET colour teal');
    await page.press('#line', 'ArrowDown');
    assert.equal(await page.inputValue('#line'), 'GET colour');
    await shoot(page, way, 'line');
    assert.ok(!(await page.innerText('#log')).includes('ECHO hush'));
    await page.fill('#line', 'QUIT');
    await page.keyboard.press('Enter');
    await status(page, 'closed: target closed (1000)');
  },

  async 'a link that leads elsewhere connects to nobody by itself'(t, way) {
    for (const path of ['terminal.html', 'vnc.html', 'line.html']) {
      const page = await visit(t, way, `${path}?host=bridge.invalid`);
      await status(page, 'leads to another server, bridge.invalid');
      assert.equal(await page.innerText('#link'), 'Connect');
      const odd = await visit(t, way, `${path}?path=javascript:1`);
      await status(odd, 'this address is wrong');
    }
  },

  async 'replay: what the terminal and the desktop showed'(t, way) {
    const page = await visit(t, way, 'replay.html', { mayComplain: /Failed when connecting|status of 404/ });
    await status(page, 'pick a recording');
    const names = await page.locator('#list a').allInnerTexts();
    assert.ok(names.length >= 3, `recordings: ${names}`);
    const shown = { text: 0, vnc: 0 };
    for (const name of names) {
      await page.click(`text="${name}"`);
      await status(page, `${name}:`);
      const kind = await page.getAttribute('#stage', 'data-kind');
      await page.selectOption('#speed', '16');
      await page.locator('#play', { hasText: 'Play' }).waitFor(); // it came to its end
      shown[kind] += kind === 'text' ? await replayText(page, way) : await replayVNC(page, way);
    }
    assert.ok(shown.text > 0 && shown.vnc > 0, `seen: ${JSON.stringify(shown)}`);
    await page.goto(new URL('replay.html#none', task.bases[way]).href);
    await page.reload();
    await status(page, 'none: no such recording');
  },

  async 'status: the numbers, and a session that is ended'(t, way) {
    const page = await visit(t, way, 'status.html');
    await status(page, 'wsbridge 1.2.3, up 1:0');
    await page.waitForSelector('#table tr');
    const rows = await page.locator('#table tr').count();
    const numbers = { sessions: rows, traffic: '2.00 KB/s', connects: '3', refusals: '1', rtt: '12.5 ms', memory: '24.0 MB' };
    for (const [id, words] of Object.entries(numbers)) {
      await page.locator(`#${id} [data-series="0"]`, { hasText: new RegExp(`^${words}$`) }).waitFor();
    }
    await page.locator('#traffic [data-series="1"]', { hasText: /^1\.00 MB\/s$/ }).waitFor();
    await page.locator('#reasons li', { hasText: 'too many sessions' }).locator('b', { hasText: /^7$/ }).waitFor();
    await page.waitForFunction(() => document.querySelector('#memory .line').getAttribute('d').split('L').length > 60);
    assert.match(await page.getAttribute('#traffic svg', 'aria-label'), /^to target: 2\.00 KB\/s, to client: 1\.00 MB\/s$/);
    assert.equal(await page.locator('#table td.user').last().innerText(), '<b>grace</b>');
    await shoot(page, way, 'status');
    page.on('dialog', (dialog) => dialog.accept());
    await page.click('#table button');
    await page.locator('#sessions [data-series="0"]', { hasText: new RegExp(`^${rows - 1}$`) }).waitFor();
    assert.equal(await page.locator('#table tr').count(), rows - 1);
  },
};

async function replayText(page, way) {
  const seen = (await screen(page).innerText()).replaceAll('\u00a0', ' ');
  if (!seen.includes('$ exit')) return 0;
  await page.focus('#seek');
  await page.keyboard.press('Home');
  await page.waitForFunction(() => !document.querySelector('.xterm-rows').innerText.includes('exit'));
  await page.check('#shorten');
  await page.focus('#seek');
  await page.keyboard.press('End');
  await page.uncheck('#shorten');
  await page.focus('#seek');
  await page.keyboard.press('End');
  await page.waitForFunction(() => document.querySelector('.xterm-rows').innerText.includes('exit'));
  await shoot(page, way, 'replay-text');
  return 1;
}

async function replayVNC(page, way) {
  const canvas = await page.locator('#stage canvas').count();
  if (!canvas || await page.evaluate(() => document.querySelector('#stage canvas').width) < 640) return 0;
  await pixel(page, 600, 400, [0xe0, 0x78, 0x14], '#stage canvas');
  await shoot(page, way, 'replay-vnc');
  return 1;
}

function paint(colour) {
  execFileSync('xsetroot', ['-solid', colour], { env: { ...process.env, DISPLAY: task.display } });
}

/** Waits until a canvas has a colour at a point. */
async function pixel(page, x, y, colour, canvas = '#screen canvas') {
  await page.waitForFunction(([canvas, x, y, colour]) => {
    const seen = document.querySelector(canvas)?.getContext('2d').getImageData(x, y, 1, 1).data;
    return seen && colour.every((value, i) => value === seen[i]);
  }, [canvas, x, y, colour]);
}

const pages = { '': '4 targets', 'terminal.html?path=redis': 'connected', 'vnc.html?path=nobody': 'closed', 'line.html?path=redis': 'connected', 'replay.html': 'recording', 'status.html': 'wsbridge 1.2.3' };

test('the pages', { concurrency: 1 }, async (t) => {
  t.after(() => browser.close());
  for (const way of Object.keys(task.bases)) {
    for (const [story, tell] of Object.entries(stories)) {
      if (only.test(`${way}: ${story}`)) await t.test(`${way}: ${story}`, (t) => tell(t, way));
    }
  }
  for (const colorScheme of ['light', 'dark']) {
    for (const [path, words] of Object.entries(pages)) {
      if (only.test('accessible')) await t.test(`accessible, ${colorScheme}: ${path || 'start'}`, async (t) => {
        const page = await visit(t, 'direct', path, { colorScheme, mayComplain: /Failed when connecting|Connection closed/ });
        await status(page, words);
        assert.deepEqual(await page.evaluate(names), []);
        assert.deepEqual(await page.evaluate(contrast), []);
        assert.deepEqual(await tabOrder(page), []);
        await shoot(page, colorScheme, path.split('.')[0] || 'start');
      });
    }
  }
  if (only.test('narrow')) await t.test('narrow windows need no scrolling sideways', async (t) => {
    for (const path of Object.keys(pages)) {
      const page = await visit(t, 'direct', path, { viewport: { width: 360, height: 640 }, mayComplain: /Failed when connecting|Connection closed/ });
      await status(page, pages[path]);
      await shoot(page, 'narrow', path.split('.')[0] || 'start');
      assert.equal(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), true, path);
    }
  });
});
