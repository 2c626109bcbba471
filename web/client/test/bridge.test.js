import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { Bridge, ENDINGS, Ending } from '../wsbridge.js';
import { FakeSocket } from './fake.js';

const turn = () => new Promise((resolve) => setImmediate(resolve));
const list = (bytes) => [...bytes];

/** Polls, because some steps take a few turns of the event loop. */
async function until(what) {
  for (let turns = 0; !what(); turns++) {
    assert.ok(turns < 1e5, `never happened: ${what}`);
    await turn();
  }
}

/** The next socket that is made. */
async function socket(nth = FakeSocket.made.length) {
  await until(() => FakeSocket.made[nth]);
  return FakeSocket.made[nth];
}

const bridge = (options, url = 'ws://there/') => new Bridge(url, { WebSocket: FakeSocket, ...options });

async function session(options, protocol) {
  const opening = bridge(options).open();
  const raw = (await socket(FakeSocket.made.length - 1)).open(protocol);
  return { raw, ...await opening };
}

async function readAll(readable) {
  const got = [];
  for await (const bytes of readable) got.push(...bytes);
  return got;
}

test('the URL may be http, is refreshed before each connection, and may be relative to itself', async () => {
  for (const [url, refreshed, want] of [
    ['http://there/a', undefined, 'ws://there/a'],
    ['https://there/a?b', undefined, 'wss://there/a?b'],
    [new URL('wss://there/'), undefined, 'wss://there/'],
    ['ws://there/a?token=old&x', '?token=new', 'ws://there/a?token=new'],
    ['ws://there/a', 'https://elsewhere/', 'wss://elsewhere/'],
    ['ws://there/a/b', new URL('ws://elsewhere/'), 'ws://elsewhere/'],
  ]) {
    const next = FakeSocket.made.length;
    bridge({ refresh: refreshed && (async () => refreshed), protocols: ['binary'] }, url).open();
    const raw = await socket(next);
    assert.equal(raw.url, want);
    assert.deepEqual(raw.protocols, ['binary']);
  }
});

test('a refresh that fails is final', async () => {
  const failing = bridge({ reconnect: true, refresh: async () => { throw new Error('logged out'); } });
  await assert.rejects(failing.run(() => assert.fail('no session')), /logged out/);
});

test('bytes arrive in order, in every encoding', async () => {
  const { raw, readable, protocol } = await session({}, 'base64');
  assert.equal(protocol, 'base64');
  raw.hear(1, 2);
  raw.hearText('AwQ=');
  raw.end(1000);
  assert.deepEqual(await readAll(readable), [1, 2, 3, 4]);
});

test('what is written leaves as bytes', async () => {
  const { raw, writable } = await session();
  const writer = writable.getWriter();
  await writer.write('é');
  await writer.write(new Uint8Array([1, 2, 3]).subarray(1));
  await writer.write(new DataView(new Uint8Array([4, 5]).buffer, 1));
  await writer.write(new Uint8Array([6]).buffer);
  assert.deepEqual(raw.sent.map(list), [[0xc3, 0xa9], [2, 3], [5], [6]]);
});

test('large writes leave in pieces, also in base64', async () => {
  const big = Uint8Array.from({ length: 100_000 }, (_, i) => i);
  const { raw, writable } = await session({}, 'base64');
  await writable.getWriter().write(big);
  assert.equal(raw.sent.length, 3);
  assert.deepEqual(Buffer.concat(raw.sent.map((text) => Buffer.from(text, 'base64'))), Buffer.from(big));
});

test('a write waits until the network has taken enough', async () => {
  const { raw, writable } = await session({ highWaterMark: 10 });
  const writer = writable.getWriter();
  raw.bufferedAmount = 11;
  const writing = writer.write('late');
  for (let n = 0; n < 100; n++) await turn();
  assert.deepEqual(raw.sent, []);
  raw.bufferedAmount = 10;
  await writing;
  assert.equal(raw.sent.length, 1);
  let closed = false;
  const closing = writer.close().then(() => { closed = true; });
  for (let n = 0; n < 100; n++) await turn();
  assert.equal(closed, false, 'close waits for all of it');
  raw.bufferedAmount = 0;
  await closing;
  assert.equal(raw.closed, undefined, 'and leaves the session open to be read');
});

test('a write that waits fails when the session ends', async () => {
  const { raw, writable, readable } = await session({ highWaterMark: 0 });
  raw.bufferedAmount = 1;
  const writing = writable.getWriter().write('never');
  raw.end(1011, 'target reset');
  await assert.rejects(writing, { why: 'target reset' });
  await assert.rejects(readAll(readable), { why: 'target reset' });
});

test('all that came is read before the end, whatever the end', async () => {
  const { raw, readable } = await session();
  raw.hear(1);
  raw.hear(2);
  raw.end(1011, 'target reset');
  const got = [];
  await assert.rejects(async () => { for await (const bytes of readable) got.push(...bytes); }, Ending);
  assert.deepEqual(got, [1, 2]);
});

test('a reader that is too slow loses the session and no byte', async () => {
  const { raw, readable, closed } = await session({ maxQueue: 1000 });
  for (let n = 0; n < 9; n++) raw.hear(n);
  assert.deepEqual(raw.closed, [4008, 'reader too slow']);
  const ending = await closed;
  assert.deepEqual([ending.by, ending.code, ending.retry], ['client', 4008, false]);
  const got = [];
  await assert.rejects(async () => { for await (const bytes of readable) got.push(...bytes); }, { why: 'reader too slow' });
  assert.deepEqual(got, [0, 1, 2, 3], 'all up to the end, and what comes after it is not kept');
});

test('a socket that can pause waits for the reader', async () => {
  const { raw, readable } = await session({ maxQueue: 16 * 300 });
  const calls = [];
  raw.pause = () => calls.push('pause');
  raw.resume = () => calls.push('resume');
  const reader = readable.getReader();
  raw.hear(1);
  assert.deepEqual(calls, []);
  raw.hear(2);
  assert.deepEqual(calls, ['pause']);
  await reader.read();
  assert.deepEqual(calls, ['pause']);
  await reader.read();
  assert.equal(calls.at(-1), 'resume');
});

test('bad base64 ends the session', async () => {
  const { raw, closed } = await session({}, 'base64');
  raw.hearText('!');
  assert.equal((await closed).why, 'bad payload');
  assert.deepEqual(raw.closed, [4008, 'bad payload']);
});

test('closing: by close, by cancelling, by aborting the writable', async () => {
  for (const how of [
    ({ close }) => { close(3001, 'enough'); },
    ({ readable }) => { readable.cancel(); },
    ({ writable }) => { writable.abort(); },
  ]) {
    const open = await session();
    how(open);
    const [code] = open.raw.closed;
    open.raw.hear(1);
    open.raw.end(code);
    const ending = await open.closed;
    assert.deepEqual([ending.by, ending.why, ending.code, ending.plain], ['client', 'client closed', code, true]);
    assert.deepEqual(await readAll(open.readable), []);
  }
});

test('a code that may not be used throws and closes nothing', async () => {
  const { raw, close, readable } = await session();
  raw.close = () => { throw new DOMException('1011 is not yours'); };
  assert.throws(() => close(1011), /not yours/);
  raw.hear(1);
  raw.end(1000);
  assert.deepEqual(await readAll(readable), [1]);
});

test('an ending says who and why', async () => {
  for (const [code, reason, by, why, retry] of [
    [1000, 'target closed', 'target', 'target closed', false],
    [1000, '', 'target', 'target closed', false],
    [1001, 'bridge shutting down', 'bridge', 'bridge shutting down', true],
    [1001, 'session idle', 'bridge', 'session idle', true],
    [1002, 'masked? no', 'client', 'protocol error', false],
    [1007, 'text is not UTF-8', 'client', 'bad payload', false],
    [1011, 'client answered none of two pings', 'bridge', 'client answered none of two pings', true],
    [1011, 'target name not found', 'target', 'target name not found', true],
    [1011, 'socket not found', 'target', 'its own reason', true],
    [1011, 'Failed to connect to downstream server', 'target', 'its own reason', true],
    [1006, '', 'unknown', 'connection lost', true],
    [1013, 'later', 'unknown', 'not in the table', true],
  ]) {
    const { raw, closed } = await session();
    raw.end(code, reason);
    const ending = await closed;
    assert.deepEqual([ending.by, ending.why, ending.retry], [by, why, retry], `${code} ${reason}`);
    assert.equal(ending.reason, reason || why);
    assert.equal(ending.code, code);
  }
});

test('the table is the one of the manual', () => {
  const page = readFileSync(new URL('../../../docs/close-codes.md', import.meta.url), 'utf8');
  const rows = [...page.matchAll(/^\| (client|target|bridge) \| (.+?) \| (.+?) \|/gm)];
  assert.ok(rows.length > 10);
  for (const [, by, code, reason] of rows.filter(([, , code]) => code != '1006')) {
    assert.ok(ENDINGS[by].includes(reason), `${by} ${code} ${reason}`);
  }
});

test('no connection: open fails with an ending', async () => {
  const next = FakeSocket.made.length;
  const opening = bridge().open();
  const raw = await socket(next);
  raw.onerror({ message: 'Unexpected server response: 503' });
  raw.end(1006);
  await assert.rejects(opening, {
    name: 'Ending', by: 'unknown', why: 'no connection', reason: 'Unexpected server response: 503', retry: true,
  });
});

test('aborting ends connecting, reading, writing and waiting at once, with its reason', async () => {
  const before = AbortSignal.abort(new Error('enough'));
  await assert.rejects(bridge({ signal: before }).open(), /enough/);

  const connecting = new AbortController();
  const opening = bridge({ signal: connecting.signal }).open();
  await turn();
  connecting.abort(new Error('enough'));
  await assert.rejects(opening, /enough/);

  const running = new AbortController();
  const { raw, readable, writable, closed } = await session({ signal: running.signal });
  raw.hear(1);
  running.abort(new Error('enough'));
  assert.deepEqual(raw.closed, [4008, 'aborted']);
  assert.equal((await closed).why, 'aborted');
  await assert.rejects(readAll(readable), /enough/);
  await assert.rejects(writable.getWriter().write('x'), /enough/);

  const waiting = new AbortController();
  const reconnect = { first: 1e9, most: 1e9, when: () => { setImmediate(() => waiting.abort(new Error('enough'))); return true; } };
  const next = FakeSocket.made.length;
  const run = bridge({ signal: waiting.signal, reconnect }).run(() => {});
  (await socket(next)).end(1006);
  await assert.rejects(run, /enough/);
});

test('run gives a session after the other, until one ends plainly', async () => {
  const next = FakeSocket.made.length;
  const asked = [], heard = [];
  const run = bridge({
    reconnect: { first: 0, when: (ending, tries) => { asked.push([ending.why, tries]); return ending.retry; } },
    refresh: (last) => `?after=${last?.code ?? 'nothing'}`,
  }).run(async ({ readable }) => { for await (const bytes of readable) heard.push(...bytes); });

  (await socket(next)).end(1006);
  (await socket(next + 1)).open().end(1011, 'target refused the connection');
  const third = (await socket(next + 2)).open();
  third.hear(1);
  third.end(1001, 'bridge shutting down');
  const fourth = (await socket(next + 3)).open();
  fourth.hear(2);
  fourth.end(1000, 'target closed');

  assert.equal((await run).why, 'target closed');
  assert.deepEqual(heard, [1, 2]);
  assert.deepEqual(asked, [['no connection', 0], ['target refused the connection', 1], ['bridge shutting down', 0],
    ['target closed', 0]], 'the tries count from when the target was last heard');
  assert.deepEqual(FakeSocket.made.slice(next).map(({ url }) => new URL(url).search),
    ['?after=nothing', '?after=1006', '?after=1011', '?after=1001']);
});

test('waits double up to the most, and are never the same', async (t) => {
  const waits = [];
  const real = globalThis.setTimeout;
  t.mock.method(globalThis, 'setTimeout', (done, ms) => real(done, (waits.push(ms), 0)));
  const next = FakeSocket.made.length;
  const run = bridge({ reconnect: { first: 100, most: 500, when: (ending, tries) => tries < 6 } }).run(() => {});
  for (let n = 0; n < 7; n++) (await socket(next + n)).end(1006);
  await assert.rejects(run, Ending);
  for (const [n, most] of [100, 200, 400, 500, 500, 500].entries()) {
    assert.ok(waits[n] >= most / 2 && waits[n] <= most, `wait ${n}: ${waits[n]}`);
  }
  assert.equal(new Set(waits).size, 6);
});

test('run does not reconnect unless told to, nor when its handler fails', async () => {
  const once = FakeSocket.made.length;
  const run = bridge().run(() => {});
  (await socket(once)).open().end(1001, 'bridge shutting down');
  await assert.rejects(run, { why: 'bridge shutting down' });

  const next = FakeSocket.made.length;
  const failing = bridge({ reconnect: true }).run(() => { throw new Error('cannot parse'); });
  const raw = (await socket(next)).open();
  await until(() => raw.closed);
  raw.end(1000);
  await assert.rejects(failing, /cannot parse/);
  assert.equal(FakeSocket.made.length, next + 1);
});
