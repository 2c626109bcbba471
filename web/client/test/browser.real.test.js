// In Chromium, which loads the library from the bridge itself.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createRequire } from 'node:module';
import { Readable } from 'node:stream';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { build, echo, serve, start } from './real.js';

const home = fileURLToPath(new URL('..', import.meta.url));
const SIZE = 10_000_000;
const flags = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync'];

/** What is to be had for these tests, or why there is nothing. */
function tools() {
  try {
    const { chromium } = createRequire(new URL('../../../e2e/package.json', import.meta.url))('playwright-core');
    const executablePath = execFileSync('sh', ['-c', 'command -v chromium'], { encoding: 'utf8' }).trim();
    return { chromium, executablePath };
  } catch (error) {
    if (process.env.CI == 'true') throw error;
    return { missing: `needs chromium, and npm ci in e2e: ${error.message.split('\n')[0]}` };
  }
}

const { chromium, executablePath, missing } = tools();

test('in Chromium', { skip: missing }, async (t) => {
  const binary = build(t);
  const browser = await chromium.launch({ executablePath, args: flags });
  t.after(() => browser.close());
  const options = ['--web', home];

  /** A page that a bridge to this service serves, with the library in it. */
  async function visit(t, talk) {
    const target = await serve(t, talk);
    const bridge = await start(t, binary, target.address, options);
    const page = await browser.newPage();
    t.after(() => page.close());
    page.on('pageerror', (error) => assert.fail(error));
    await page.goto(`http://127.0.0.1:${bridge.port}/README.md`);
    await page.evaluate(async () => {
      Object.assign(globalThis, await import('/wsbridge.js'), await import('/pausable.js'));
      globalThis.sockets = { WebSocket, PausableSocket };
    });
    return { page, bridge, target };
  }

  const transports = ['WebSocket', 'PausableSocket'];

  await t.test('Websock carries every byte, as binary and as base64', async (t) => {
    const { page } = await visit(t, echo);
    for (const protocols of [[], ['binary', 'base64'], ['base64']]) {
      const got = await page.evaluate((protocols) => new Promise((resolve, reject) => {
        const sock = new Websock();
        const bytes = Uint8Array.from({ length: 30000 }, (_, i) => i ^ (i >> 8));
        sock.on('open', () => sock.send(bytes));
        sock.on('close', ({ code, reason }) => reject(new Error(`${code} ${reason}`)));
        sock.on('message', () => {
          if (sock.rQlen < bytes.length) return;
          resolve(sock.rQshiftBytes().every((byte, i) => byte == bytes[i]));
          sock.close();
        });
        sock.open(`ws://${location.host}/`, protocols);
      }), protocols);
      assert.equal(got, true, `offering ${protocols}`);
    }
  });

  for (const transport of transports) {
    await t.test(`10 MB through the streams of Bridge over ${transport}`, async (t) => {
      const { page } = await visit(t, echo);
      for (const protocols of [undefined, 'base64']) {
        const { sent, got, why, protocol } = await page.evaluate(async ([transport, protocols, size]) => {
          const hex = async (bytes) => new Uint8Array(await crypto.subtle.digest('SHA-256', bytes)).toString();
          const payload = new Uint8Array(size);
          for (let at = 0; at < size; at += 65536) crypto.getRandomValues(payload.subarray(at, at + 65536));
          const session = await new Bridge('/', { WebSocket: sockets[transport], protocols }).open();
          const sending = new Blob([payload]).stream().pipeTo(session.writable);
          const back = new Uint8Array(size);
          let at = 0;
          for await (const bytes of session.readable.values({ preventCancel: true })) {
            back.set(bytes, at);
            at += bytes.length;
            if (at == size) break;
          }
          await sending;
          const { why } = await session.close();
          return { sent: await hex(payload), got: await hex(back), why, protocol: session.protocol };
        }, [transport, protocols, SIZE]);
        assert.equal(got, sent);
        assert.deepEqual([why, protocol], ['client closed', protocols ?? '']);
      }
    });

    await t.test(`what was written before close reaches the target over ${transport}`, async (t) => {
      const hash = createHash('sha256');
      let ended;
      const end = new Promise((resolve) => { ended = resolve; });
      const { page } = await visit(t, (socket) => socket.on('data', (bytes) => hash.update(bytes)).on('end', () => {
        socket.end();
        ended();
      }));
      const why = await page.evaluate(async ([transport, size]) => {
        const session = await new Bridge('/', { WebSocket: sockets[transport] }).open();
        await session.writable.getWriter().write(new Uint8Array(size).fill(7));
        return (await session.close()).why;
      }, [transport, SIZE]);
      await end;
      assert.equal(why, 'client closed');
      assert.equal(hash.digest('hex'), createHash('sha256').update(Buffer.alloc(SIZE, 7)).digest('hex'));
    });
  }

  await t.test('a slow reader: WebSocket ends the session, PausableSocket waits', async (t) => {
    const pieces = Array(32).fill(Buffer.alloc(1 << 20, 7));
    const { page } = await visit(t, (socket) => Readable.from(pieces).pipe(socket));
    const readSlowly = (transport) => page.evaluate(async (transport) => {
      const options = { WebSocket: sockets[transport], maxQueue: 4 << 20 };
      const { readable, closed } = await new Bridge('/', options).open();
      let size = 0, failure;
      try {
        for await (const bytes of readable) {
          const before = size;
          size += bytes.length;
          if (size >> 20 > before >> 20) await new Promise((resolve) => setTimeout(resolve, 100));
        }
      } catch (error) { failure = error; }
      const { why, code } = await closed;
      return { size, why, code, failed: failure instanceof Ending };
    }, transport);

    assert.deepEqual(await readSlowly('PausableSocket'), { size: 32 << 20, why: 'target closed', code: 1000, failed: false });
    const { size, why, code, failed } = await readSlowly('WebSocket');
    assert.deepEqual([why, code, failed], ['reader too slow', 4008, true]);
    assert.ok(size > 3 << 20 && size < 32 << 20, `${size} bytes were read`);
  });

  await t.test('it reconnects after the bridge restarts', async (t) => {
    for (const transport of transports) {
      const { page, bridge, target } = await visit(t, echo);
      await page.exposeFunction('restart', async () => {
        await bridge.stop();
        await start(t, binary, target.address, options, bridge.port);
      });
      const { words, endings } = await page.evaluate(async (transport) => {
        const words = [], endings = [];
        const reconnect = { first: 10, when: (ending) => { endings.push(ending.why); return ending.retry; } };
        await new Bridge('/', { WebSocket: sockets[transport], reconnect }).run(async ({ readable, writable, close }) => {
          const reader = readable.pipeThrough(new TextDecoderStream()).getReader();
          await writable.getWriter().write(`hello ${words.length}`);
          words.push((await reader.read()).value);
          if (words.length == 2) return close();
          await Promise.all([restart(), reader.read()]);
        });
        return { words, endings };
      }, transport);
      assert.deepEqual(words, ['hello 0', 'hello 1']);
      assert.equal(endings[0], 'bridge shutting down');
      assert.equal(endings.at(-1), 'client closed');
    }
  });

  await t.test('endings come through', async (t) => {
    const { page } = await visit(t, (socket) => socket.once('data', () => socket.resetAndDestroy()));
    for (const transport of transports) {
      const ending = await page.evaluate(async (transport) => {
        const { writable, closed } = await new Bridge('/', { WebSocket: sockets[transport] }).open();
        await writable.getWriter().write('reset');
        const { by, why, code } = await closed;
        return { by, why, code };
      }, transport);
      assert.deepEqual(ending, { by: 'target', why: 'target reset', code: 1011 }, transport);
      const refused = await page.evaluate((transport) =>
        new Bridge('ws://127.0.0.1:1/', { WebSocket: sockets[transport] }).open().catch(({ why }) => why), transport);
      assert.equal(refused, 'no connection', transport);
    }
  });
});
