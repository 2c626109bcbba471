import assert from 'node:assert/strict';
import test from 'node:test';
import { Websock } from '../wsbridge.js';
import { FakeSocket } from './fake.js';

const MiB = 1 << 20;

function opened(protocol) {
  const sock = new Websock({ WebSocket: FakeSocket });
  sock.open('ws://there/', ['binary', 'base64']);
  return [sock, FakeSocket.made.at(-1).open(protocol)];
}

/** A Websock that has heard these bytes. */
function heard(...bytes) {
  const [sock, raw] = opened();
  raw.hear(bytes);
  return [sock, raw];
}

const list = (bytes) => [...bytes];

test('every generation finds its members', () => {
  const [sock] = opened();
  const names = `get_sQ get_rQ get_rQi set_rQi rQlen rQpeek8 rQshift8 rQshift16 rQshift32 rQunshift8 rQskip8
    rQskipBytes rQshiftStr rQshiftBytes rQshiftTo rQwhole rQslice rQpeekBytes rQwait flush send send_string
    sendString sQpush8 sQpush16 sQpush32 sQpushString sQpushBytes off on attach init open close`.split(/\s+/);
  assert.deepEqual(names.filter((name) => typeof sock[name] != 'function'), []);
  assert.ok(sock instanceof Websock);
  assert.ok(Websock() instanceof Websock, 'the factory of 2011');
  assert.ok(new (class Mine extends Websock {})() instanceof Websock);
});

test('reads take from the receive index', () => {
  const reads = [
    ['rQpeek8', [], 1, 0],
    ['rQshift8', [], 1, 1],
    ['rQshift16', [], 0x0102, 2],
    ['rQshift32', [], 0x01020304, 4],
    ['rQskip8', [], undefined, 1],
    ['rQskipBytes', [3], undefined, 3],
    ['rQshiftStr', [2], '\x01\x02', 2],
    ['rQshiftStr', [], '\x01\x02\x03\x04\xff', 5],
    ['rQshiftBytes', [2], [1, 2], 2],
    ['rQshiftBytes', [2, false], [1, 2], 2],
    ['rQshiftBytes', [], [1, 2, 3, 4, 255], 5],
    ['rQpeekBytes', [2], [1, 2], 0],
    ['rQslice', [1, 3], [2, 3], 0],
    ['rQslice', [3], [4, 255], 0],
    ['rQwhole', [], [9, 1, 2, 3, 4, 255], 0],
    ['get_rQ', [], [9, 1, 2, 3, 4, 255], 0],
  ];
  for (const [name, args, want, taken] of reads) {
    const [sock] = heard(9, 1, 2, 3, 4, 255);
    sock.rQskip8();
    const got = sock[name](...args);
    assert.deepEqual(got instanceof Uint8Array ? list(got) : got, want, name);
    assert.equal(sock.get_rQi(), 1 + taken, name);
    assert.equal(sock.rQlen(), 5 - taken, name);
  }
});

test('numbers are unsigned', () => {
  assert.equal(heard(255, 255, 255, 254)[0].rQshift32(), 0xfffffffe);
});

test('rQlen is a method, and a property where JavaScript allows it', () => {
  const [sock] = heard(1, 2, 3);
  const before = sock.rQlen;
  assert.equal(sock.rQlen(), 3);
  assert.ok(sock.rQlen > 2 && sock.rQlen < 4 && sock.rQlen == 3 && sock.rQlen - 1 === 2);
  assert.equal(`${sock.rQlen}`, '3');
  assert.equal(Math.min(sock.rQlen, 9), 3);
  sock.rQskip8();
  assert.equal(+before, 3, 'a property that was read stays what it was');
  assert.equal(+sock.rQlen, 2);
});

test('reading more than there is throws and takes nothing', () => {
  const [sock] = heard(1, 2);
  for (const read of ['rQshift32', 'rQskipBytes', 'rQshiftStr', 'rQshiftBytes', 'rQpeekBytes']) {
    assert.throws(() => sock[read](3), RangeError, read);
  }
  assert.throws(() => sock.rQshiftTo(new Uint8Array(9), 3), RangeError);
  assert.equal(sock.rQlen(), 2);
  sock.rQskipBytes(2);
  assert.equal(sock.rQpeek8(), undefined);
});

test('rQwait asks for more and goes back over what was read', () => {
  const [sock, raw] = heard(7, 1, 2);
  sock.rQskip8();
  assert.equal(sock.rQwait('rest', 2, 1), false);
  assert.equal(sock.rQwait('rest', 3, 1), true);
  assert.equal(sock.rQi, 0);
  assert.throws(() => sock.rQwait('rest', 9, 1), /rest: no way back/);
  raw.hear(3);
  assert.deepEqual(list(sock.rQshiftBytes()), [7, 1, 2, 3]);
});

test('rQi can be set, bytes put back and copied out', () => {
  const [sock] = heard(1, 2, 3);
  sock.rQunshift8(0);
  assert.deepEqual(list(sock.rQslice(0)), [0, 1, 2, 3]);
  sock.rQskipBytes(2);
  sock.rQunshift8(8);
  assert.deepEqual(list(sock.rQslice(0)), [8, 2, 3]);
  sock.set_rQi(3);
  assert.equal(sock.rQshift8(), 3);
  sock.rQi = 2;
  const into = new Uint8Array(3);
  sock.rQshiftTo(into, 1);
  sock.rQshiftTo(into.subarray(1));
  assert.deepEqual(list(into), [2, 3, 0]);
});

test('what was read by copy does not change, unread bytes survive moves and growth', () => {
  const [sock, raw] = opened();
  const message = (n) => ({ data: new Uint8Array(MiB).fill(n).buffer });
  for (let n = 0; n < 3; n++) raw.onmessage(message(n));
  const kept = sock.rQshiftBytes(MiB);
  for (let n = 3; n < 30; n++) raw.onmessage(message(n));
  assert.ok(kept.every((byte) => byte == 0));
  for (let n = 1; n < 30; n++) assert.ok(sock.rQshiftBytes(MiB).every((byte) => byte == n), `message ${n}`);
  assert.equal(sock.rQlen(), 0);
});

test('40 MiB unread are too many: the connection is closed, an error says so', () => {
  const [sock, raw] = opened();
  const errors = [];
  sock.on('error', (error) => errors.push(error));
  for (let n = 0; n < 40; n++) raw.onmessage({ data: new ArrayBuffer(MiB) });
  assert.deepEqual(errors, []);
  raw.hear(1);
  assert.match(errors[0], /^RangeError: receive queue full\n/);
  assert.deepEqual(raw.closed, [4008, 'receive queue full']);
  raw.hear(2);
  assert.equal(sock.rQlen(), 40 * MiB, 'nothing after the hole');
});

test('events: one handler each, message only when there is something to read', () => {
  const sock = new Websock({ WebSocket: FakeSocket });
  const seen = [];
  for (const event of ['open', 'message', 'close', 'error']) {
    sock.on(event, () => assert.fail('replaced'));
    sock.on(event, (detail) => seen.push(event, detail?.code));
  }
  sock.open('ws://there/');
  const raw = FakeSocket.made.at(-1).open();
  raw.hear();
  raw.hear(1);
  raw.onerror({});
  sock.off('message');
  raw.hear(1);
  raw.end(1011);
  assert.deepEqual(seen.filter((x) => x), ['open', 'message', 'error', 'close', 1011]);
});

test('what a message handler throws becomes an error event, or goes on', () => {
  const [sock, raw] = opened();
  sock.on('message', () => { throw new TypeError('bad greeting'); });
  assert.throws(() => raw.hear(1), /bad greeting/);
  let told;
  sock.on('error', (error) => { told = error; });
  raw.hear(1);
  assert.equal(typeof told, 'string');
  assert.match(told, /^TypeError: bad greeting\n.*websock\.test\.js/s);
});

test('sending: big-endian numbers, Latin-1, arrays of any kind', () => {
  const [sock, raw] = opened();
  sock.sQpush8(0x101);
  sock.sQpush16(0x0203);
  sock.sQpush32(0xfffefdfc);
  sock.sQpushString('A\xe9');
  sock.sQpushBytes(new Uint8Array([7]));
  assert.equal(raw.sent.length, 0);
  assert.deepEqual(sock.get_sQ(), [1, 2, 3, 255, 254, 253, 252, 65, 0xe9, 7]);
  assert.equal(sock.flush(), true);
  sock.send([8, 9]);
  sock.send_string('B');
  sock.sendString('C');
  assert.deepEqual(raw.sent.map(list), [[1, 2, 3, 255, 254, 253, 252, 65, 0xe9, 7], [8, 9], [66], [67]]);
  assert.deepEqual(sock.sQ, []);
});

test('a full send queue is sent, in order and whole', () => {
  const [sock, raw] = opened();
  const bytes = Uint8Array.from({ length: 25000 }, (_, i) => i * 7);
  sock.send(bytes);
  assert.deepEqual(raw.sent.map((piece) => piece.length), [10240, 10240, 4520]);
  assert.deepEqual(list(raw.sent.flatMap(list)), list(bytes));
});

test('what is sent while connecting waits, and overflows with an error', () => {
  const sock = new Websock({ WebSocket: FakeSocket });
  sock.open('ws://there/');
  assert.equal(sock.send([1, 2]), false);
  const raw = FakeSocket.made.at(-1);
  assert.deepEqual(raw.sent, []);
  raw.open();
  assert.deepEqual(raw.sent.map(list), [[1, 2]]);
  sock.open('ws://there/');
  assert.throws(() => sock.send(new Uint8Array(10241)), /send queue full/);
});

test('base64 when the server picks it, both ways', () => {
  const [sock, raw] = opened('base64');
  raw.hearText('AAH+/w==');
  raw.hearText('QQ==');
  assert.deepEqual(list(sock.rQshiftBytes()), [0, 1, 254, 255, 65]);
  sock.send([0, 1, 254, 255]);
  assert.deepEqual(raw.sent, ['AAH+/w==']);
});

test('base64 that is none ends the connection: bytes are missing', () => {
  const [sock, raw] = opened('base64');
  let told;
  sock.on('error', (error) => { told = error; });
  raw.hearText('!');
  assert.match(told, /InvalidCharacterError/);
  assert.equal(raw.closed[0], 4008);
});

test('text without base64 is UTF-8', () => {
  const [sock, raw] = opened('');
  raw.hearText('é');
  assert.deepEqual(list(sock.rQshiftBytes()), [0xc3, 0xa9]);
});

test('close sends the rest, mutes messages and tells of the end', () => {
  const [sock, raw] = opened();
  const seen = [];
  sock.on('message', () => seen.push('message'));
  sock.on('close', ({ code }) => seen.push(code));
  sock.sQpush8(1);
  sock.close();
  assert.deepEqual(raw.sent.map(list), [[1]]);
  raw.hear(1);
  raw.end(1000);
  sock.close();
  assert.deepEqual(seen, [1000]);
  assert.equal(sock.send([1]), true, 'as a closed WebSocket: nowhere');
  assert.equal(raw.sent.length, 1);
});

test('readyState of sockets and of data channels', () => {
  const sock = new Websock();
  assert.equal(sock.readyState, 'unused');
  const raw = new FakeSocket();
  sock.attach(raw);
  for (const [state, word] of [[0, 'connecting'], [1, 'open'], [2, 'closing'], [3, 'closed'], ['open', 'open'],
    ['closed', 'closed'], ['whatever', 'unknown'], [9, 'unknown'], [undefined, 'unknown']]) {
    raw.readyState = state;
    assert.equal(sock.readyState, word);
  }
});

test('attach takes an open socket, and leaves the one before', () => {
  const [sock, before] = heard(1, 2, 3);
  sock.on('close', () => assert.fail('that was the one before'));
  const raw = new FakeSocket();
  raw.readyState = 1;
  sock.attach(raw);
  assert.ok(before.closed);
  before.end(1000);
  assert.equal(raw.binaryType, 'arraybuffer');
  assert.equal(sock.rQlen(), 0);
  sock.send([5]);
  assert.deepEqual(raw.sent.map(list), [[5]]);
});

test('without a WebSocket it says what to do', () => {
  assert.throws(() => new Websock({ WebSocket: null }).open('ws://there/'), /no WebSocket: pass one/);
});
