import assert from 'node:assert/strict';
import test from 'node:test';
import { Telnet } from '../src/telnet.js';

const [SE, SB, WILL, WONT, DO, DONT, IAC] = [240, 250, 251, 252, 253, 254, 255];
const [BINARY, ECHO, SGA, TTYPE, NAWS, LINEMODE] = [0, 1, 3, 24, 31, 34];
const utf8 = (text) => [...new TextEncoder().encode(text)];

/** A terminal of 80 by 24 that hears bytes; in pieces of so many, if told. */
function hear(bytes, piece = Infinity) {
  const said = [], telnet = new Telnet({ send: (answer) => said.push(...answer) }), text = [];
  for (let at = 0; at < bytes.length; at += piece) text.push(...telnet.feed(Uint8Array.from(bytes.slice(at, at + piece))));
  return { said, telnet, text };
}

// What busybox telnetd begins with, and a target that wants to know everything.
const stories = [
  { what: 'text only', hears: utf8('login: \u00e9'), text: utf8('login: \u00e9'), says: [] },
  { what: 'busybox', hears: [IAC, DO, ECHO, IAC, DO, NAWS, IAC, WILL, ECHO, IAC, WILL, SGA, ...utf8('hi')], text: utf8('hi'),
    says: [IAC, WONT, ECHO, IAC, WILL, NAWS, IAC, SB, NAWS, 0, 80, 0, 24, IAC, SE, IAC, DO, ECHO, IAC, DO, SGA] },
  { what: 'the terminal\u2019s type', hears: [IAC, DO, TTYPE, IAC, SB, TTYPE, 1, IAC, SE],
    says: [IAC, WILL, TTYPE, IAC, SB, TTYPE, 0, ...utf8('xterm-256color'), IAC, SE] },
  { what: 'a type asked for without leave', hears: [IAC, SB, TTYPE, 1, IAC, SE], says: [] },
  { what: 'options that are unknown', hears: [IAC, DO, LINEMODE, IAC, WILL, LINEMODE, IAC, WILL, TTYPE], says: [IAC, WONT, LINEMODE, IAC, DONT, LINEMODE, IAC, DONT, TTYPE] },
  { what: 'what is so already is not answered', hears: [IAC, WILL, SGA, IAC, WILL, SGA, IAC, WONT, ECHO, IAC, DONT, NAWS], says: [IAC, DO, SGA] },
  { what: 'there and back', hears: [IAC, WILL, ECHO, IAC, WONT, ECHO, IAC, WILL, ECHO], says: [IAC, DO, ECHO, IAC, DONT, ECHO, IAC, DO, ECHO] },
  { what: 'IAC IAC is a byte', hears: [97, IAC, IAC, 98], text: [97, IAC, 98], says: [] },
  { what: 'commands without options', hears: [97, IAC, 249, 98, IAC, 241, 99], text: utf8('abc'), says: [] },
  { what: 'CR NUL is CR', hears: [...utf8('a\r'), 0, ...utf8('b\r\nc'), 0], text: [...utf8('a\rb\r\nc'), 0], says: [] },
  { what: 'CR NUL is both in binary', hears: [IAC, WILL, BINARY, 13, 0], text: [13, 0], says: [IAC, DO, BINARY] },
  { what: 'an endless subnegotiation', hears: [IAC, SB, ...Array(5000).fill(7), IAC, SE, 97], text: [97], says: [] },
  { what: 'a subnegotiation with IAC in it', hears: [IAC, SB, 99, IAC, IAC, 1, IAC, SE, 97], text: [97], says: [] },
  { what: 'a subnegotiation that another command ends', hears: [IAC, SB, 99, 1, IAC, DO, SGA, 97], text: [97], says: [IAC, WILL, SGA] },
];

for (const { what, hears, text = [], says } of stories) {
  test(`${what}, cut anywhere`, () => {
    for (const piece of [1, 2, 3, 5, Infinity]) {
      const got = hear(hears, piece);
      assert.deepEqual(got.text, text, `text in pieces of ${piece}`);
      assert.deepEqual(got.said, says, `answers in pieces of ${piece}`);
    }
  });
}

test('the size is told when it changes, to those who asked, with IAC twice', () => {
  const { said, telnet } = hear([]);
  telnet.resize([100, 40]);
  assert.deepEqual(said, []);
  telnet.feed(Uint8Array.of(IAC, DO, NAWS));
  assert.deepEqual(said.splice(0), [IAC, WILL, NAWS, IAC, SB, NAWS, 0, 100, 0, 40, IAC, SE]);
  telnet.resize([255, 300]);
  assert.deepEqual(said.splice(0), [IAC, SB, NAWS, 0, IAC, IAC, 1, 44, IAC, SE]);
  telnet.feed(Uint8Array.of(IAC, DONT, NAWS));
  telnet.resize([80, 24]);
  assert.deepEqual(said, [IAC, WONT, NAWS]);
});

test('who echoes', () => {
  const { telnet } = hear([]);
  assert.equal(telnet.echoes, false);
  telnet.feed(Uint8Array.of(IAC, WILL, ECHO));
  assert.equal(telnet.echoes, true);
  telnet.feed(Uint8Array.of(IAC, WONT, ECHO));
  assert.equal(telnet.echoes, false);
});

test('what is typed', () => {
  const { telnet } = hear([]);
  const encode = (...bytes) => [...telnet.encode(Uint8Array.from(bytes))];
  assert.deepEqual(encode(97, 13), [97, 13, 0]);
  assert.deepEqual(encode(97, 13, 10), [97, 13, 10]);
  assert.deepEqual(encode(IAC, 98), [IAC, IAC, 98]);
  telnet.feed(Uint8Array.of(IAC, DO, BINARY));
  assert.deepEqual(encode(13, IAC), [13, IAC, IAC]);
});

test('what telnet begins with', () => {
  const begins = (...bytes) => Telnet.begins(Uint8Array.from(bytes));
  assert.ok(begins(IAC, DO, ECHO));
  assert.ok(begins(IAC));
  assert.ok(!begins(IAC, IAC));
  assert.ok(!begins(IAC, 0xd8)); // a JPEG's second byte is another's
  assert.ok(!begins(...utf8('SSH-2.0')));
  assert.ok(!begins());
});
