// Through the real bridge to a real TCP service.
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { Readable } from 'node:stream';
import test from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { WebSocket } from 'ws';
import { Bridge, Websock } from '../wsbridge.js';
import { build, echo, serve, start } from './real.js';

const MiB = 1 << 20;
const sha256 = (...pieces) => {
  const hash = createHash('sha256');
  for (const piece of pieces) hash.update(piece);
  return hash.digest('hex');
};

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc');

/** Bytes that are held. One collection sets buffers free, the next counts without them. */
async function memory() {
  collect();
  await slowness();
  collect();
  return process.memoryUsage().arrayBuffers;
}

/** What a slow side does between two looks. */
const slowness = () => new Promise((resolve) => setTimeout(resolve, 5));

let binary;
test.before((t) => { binary = build(t); });

const open = (url, options) => new Bridge(url, { WebSocket, ...options }).open();

/** Reads n bytes, or to the end. */
async function read(readable, n = Infinity) {
  const got = [];
  let size = 0;
  for await (const bytes of readable.values({ preventCancel: true })) {
    got.push(bytes);
    size += bytes.length;
    if (size >= n) break;
  }
  return Buffer.concat(got);
}

/** Opens a Websock and echoes bytes through it. */
function echoed(url, protocols, bytes) {
  const sock = new Websock({ WebSocket });
  return new Promise((resolve, reject) => {
    sock.on('open', () => sock.send(bytes));
    sock.on('message', () => {
      if (sock.rQwait('echo', bytes.length)) return;
      const got = sock.rQshiftBytes();
      sock.on('close', ({ code }) => resolve({ got, code }));
      sock.close(1000);
    });
    sock.on('close', ({ code, reason }) => reject(new Error(`${code} ${reason}`)));
    sock.open(url, protocols);
  });
}

test('Websock: every byte there and back, in every encoding', async (t) => {
  const target = await serve(t, echo);
  const plain = await start(t, binary, target.address);
  const text = await start(t, binary, target.address, ['--text']);
  const all = Uint8Array.from({ length: 3 * 256 * 41 }, (_, i) => i ^ (i >> 8));
  const words = new TextEncoder().encode('žluťoučký kůň 🐎 '.repeat(1000));
  for (const [name, url, protocols, bytes] of [
    ['nothing offered', plain.url, undefined, all],
    ['binary', plain.url, 'binary', all],
    ['base64', plain.url, 'base64', all],
    ['the bridge chooses', plain.url, ['base64', 'binary'], all],
    ['text', text.url, undefined, words],
  ]) {
    const { got, code } = await echoed(url, protocols, bytes);
    assert.deepEqual(Buffer.from(got), Buffer.from(bytes), name);
    assert.equal(code, 1000, name);
  }
});

test('Bridge: 10 MB through the streams, in every encoding', async (t) => {
  const target = await serve(t, echo);
  const bridge = await start(t, binary, target.address);
  const payload = randomBytes(10_000_000);
  for (const protocols of [[], ['base64']]) {
    const { readable, writable, close, protocol } = await open(bridge.url, { protocols });
    const [back] = await Promise.all([
      read(readable, payload.length),
      new Blob([payload]).stream().pipeTo(writable),
    ]);
    assert.equal(sha256(back), sha256(payload), `subprotocol ${protocol}`);
    assert.equal((await close()).why, 'client closed');
  }
});

test('Bridge: a slow reader holds the target back, and memory stays small', async (t) => {
  const piece = randomBytes(MiB), pieces = 100;
  const target = await serve(t, (socket) => Readable.from(Array(pieces).fill(piece)).pipe(socket));
  const bridge = await start(t, binary, target.address);
  const { readable, closed } = await open(bridge.url);
  const [before, hash] = [await memory(), createHash('sha256')];
  let size = 0, most = 0;
  for await (const bytes of readable) {
    hash.update(bytes);
    const whole = Math.floor(size / MiB);
    size += bytes.length;
    if (size >= (whole + 1) * MiB) await slowness();
    if (size >= (whole + 1) * MiB && whole % 10 == 5) most = Math.max(most, await memory() - before);
  }
  assert.equal(hash.digest('hex'), sha256(...Array(pieces).fill(piece)));
  assert.ok(most < 8 * MiB, `${most} bytes of ${size} were held`);
  assert.equal((await closed).why, 'target closed');
});

test('Bridge: a slow target holds the writer back, and memory stays small', async (t) => {
  const piece = randomBytes(MiB), pieces = 100;
  let heard = 0;
  const target = await serve(t, async (socket) => {
    for await (const bytes of socket) {
      const whole = Math.floor(heard / MiB);
      heard += bytes.length;
      if (heard >= (whole + 1) * MiB) await slowness();
    }
    socket.end();
  });
  const bridge = await start(t, binary, target.address);
  const { writable, close } = await open(bridge.url);
  const [writer, before] = [writable.getWriter(), await memory()];
  let most = 0, underWay = 0;
  for (let n = 1; n <= pieces; n++) {
    await writer.write(piece);
    if (n % 10 == 5) most = Math.max(most, await memory() - before);
    underWay = Math.max(underWay, n * MiB - heard);
  }
  await writer.close();
  await close();
  assert.equal(heard, pieces * MiB);
  assert.ok(most < 8 * MiB, `${most} bytes were held`);
  assert.ok(underWay < pieces * MiB / 2, `${underWay} bytes were written before the target read them`);
});

test('Bridge: what was written before close reaches the target', async (t) => {
  let heard;
  const all = new Promise((resolve) => { heard = resolve; });
  const target = await serve(t, async (socket) => {
    const got = [];
    for await (const bytes of socket) got.push(bytes);
    heard(Buffer.concat(got));
    socket.end('bye');
  });
  const bridge = await start(t, binary, target.address);
  const { writable, close } = await open(bridge.url);
  const payload = randomBytes(3 * MiB);
  await writable.getWriter().write(payload);
  const ending = await close(3123);
  assert.equal(sha256(await all), sha256(payload));
  assert.deepEqual([ending.by, ending.why, ending.code], ['client', 'client closed', 3123]);
});

test('Bridge: endings are told apart', async (t) => {
  const target = await serve(t, (socket) => socket.once('data', (word) => {
    if (word == 'reset') socket.resetAndDestroy();
    else socket.end('goodbye');
  }));
  const gone = await serve(t, () => {});
  gone.stop();
  const unused = gone.address;
  const bridge = await start(t, binary, target.address, ['--session-idle', '1']);
  const refusing = await start(t, binary, unused);

  for (const [url, word, who, why, code, plain] of [
    [bridge.url, 'bye', 'target', 'target closed', 1000, true],
    [bridge.url, 'reset', 'target', 'target reset', 1011, false],
    [bridge.url, '', 'bridge', 'session idle', 1001, false],
    [refusing.url, '', 'target', 'target refused the connection', 1011, false],
  ]) {
    const { readable, writable, closed } = await open(url);
    if (word) await writable.getWriter().write(word);
    const outcome = read(readable).then(String, (error) => error);
    const ending = await closed;
    assert.deepEqual([ending.by, ending.why, ending.code, ending.plain], [who, why, code, plain]);
    if (plain) assert.equal(await outcome, 'goodbye');
    else assert.equal(await outcome, ending);
  }
  await assert.rejects(open(`ws://${unused}/`), { why: 'no connection', by: 'unknown', code: 1006 });
  await assert.rejects(open('ws://127.0.0.1:1/'), /ECONNREFUSED/);
});

test('Bridge: reconnects after the bridge restarts, refreshing its URL', async (t) => {
  const target = await serve(t, echo);
  let bridge = await start(t, binary, target.address);
  const tokens = [], endings = [];
  let sessions = 0;
  const reconnecting = new Bridge(bridge.url, {
    WebSocket,
    refresh: async () => `?token=${tokens.push(tokens.length) - 1}`,
    reconnect: { first: 10, most: 100, when: (ending) => { endings.push(ending.why); return ending.retry; } },
  });
  const ending = await reconnecting.run(async ({ readable, writable, close }) => {
    const word = `session ${++sessions}`;
    const writer = writable.getWriter();
    await writer.write(word);
    assert.equal(String(await read(readable, word.length)), word);
    if (sessions == 3) return close();
    const { port } = bridge;
    await bridge.stop(sessions == 1 ? 'SIGTERM' : 'SIGKILL');
    bridge = await start(t, binary, target.address, [], port);
    await read(readable);
  });
  assert.equal(sessions, 3);
  assert.equal(ending.why, 'client closed');
  assert.equal(endings[0], 'bridge shutting down');
  assert.ok(endings.includes('connection lost'), endings.join());
  assert.ok(tokens.length >= 3);
});

test('Bridge: aborting ends the session at the target too', async (t) => {
  const ended = [];
  const target = await serve(t, (socket) => ended.push(once(socket, 'end')) && socket.resume());
  const bridge = await start(t, binary, target.address);
  const stop = new AbortController();
  const { readable, writable } = await open(bridge.url, { signal: stop.signal });
  await writable.getWriter().write('hello');
  const reading = read(readable);
  stop.abort(new Error('enough'));
  await assert.rejects(reading, /enough/);
  await Promise.all(ended);
});
