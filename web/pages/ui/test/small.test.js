import assert from 'node:assert/strict';
import test from 'node:test';
import { flag, leadsElsewhere, parameters, sessionURL } from '../src/address.js';
import { History } from '../src/history.js';
import { LineEdit } from '../src/lineedit.js';
import { count, duration, ended, size } from '../src/words.js';

test('where a page connects to', () => {
  const at = (page) => {
    const url = sessionURL(parameters(new URL(page)), page);
    return `${url}${leadsElsewhere(url, page) ? ' !' : ''}`;
  };
  const stories = {
    'http://a/terminal.html': 'ws://a/websockify',
    'https://a:8443/apps/bridge/vnc.html': 'wss://a:8443/apps/bridge/websockify',
    'https://a/x/vnc.html?path=desk/1?k=v': 'wss://a/x/desk/1?k=v',
    'https://a/x/vnc.html?path=/desk': 'wss://a/desk',
    'https://a/x/vnc.html?path=./': 'wss://a/x/',
    'https://a/x/vnc.html?path=p&token=t%26u': 'wss://a/x/p?token=t%26u',
    'https://a/x/vnc.html#token=secret&path=p': 'wss://a/x/p?token=secret',
    'https://a/vnc.html?path=one#path=two': 'wss://a/two',
    'http://a/vnc.html?host=b&port=6080&encrypt=1': 'wss://b:6080/websockify !',
    'https://a/vnc.html?encrypt=0': 'ws://a/websockify',
    'https://a/vnc.html?path=//evil/p': 'wss://evil/p !',
    'https://a/vnc.html?path=wss://evil/p': 'wss://evil/p !',
    'https://a/vnc.html?path=p%23fragment': 'wss://a/p',
  };
  for (const [page, want] of Object.entries(stories)) assert.equal(at(page), want, page);
  assert.throws(() => at('https://a/vnc.html?path=javascript:alert(1)'), TypeError);
  assert.throws(() => at('https://a/vnc.html?path=http://['), TypeError);
});

test('flags', () => {
  const all = new URLSearchParams('a=1&b=0&c=false&d&e=true');
  assert.deepEqual(['a', 'b', 'c', 'd', 'e', 'f'].map((name) => flag(all, name)), [true, false, false, true, true, false]);
  assert.equal(flag(all, 'f', true), true);
});

test('a line that is typed without an echo', () => {
  let shown = '', sent = '';
  const edit = new LineEdit({ print: (text) => { shown += text; }, send: (text) => { sent += text; } });
  const type = (text) => { shown = sent = ''; edit.type(text); return [shown, sent]; };
  assert.deepEqual(type('h\u{1f600}x\x7f'), ['h\u{1f600}x\b \b', '']);
  assert.deepEqual(type('\r'), ['\r\n', 'h\u{1f600}\r\n']);
  for (const nothing of ['\x7f', '\x1b[A', '\x07']) assert.deepEqual(type(nothing), ['', '']);
  assert.deepEqual(type('one\ntwo\r'), ['one\r\ntwo\r\n', 'one\r\ntwo\r\n']);
  assert.deepEqual(type('ab\x15\r'), ['ab\b \b\b \b\r\n', '\r\n']);
  assert.deepEqual(type('ab\x03'), ['ab', 'ab\x03']);
});

test('the history of lines', () => {
  const history = new History();
  assert.equal(history.move(-1, 'draft'), 'draft');
  for (const line of ['one', 'two', 'two', '']) history.add(line);
  assert.deepEqual(['draft', 'x', 'x'].map((now) => history.move(-1, now)), ['two', 'one', 'one']);
  assert.deepEqual(['x', 'x', 'x'].map((now) => history.move(1, now)), ['two', 'draft', 'x']);
});

test('numbers as people read them', () => {
  assert.deepEqual([0, 999, 1000, 1024, 1536, 10 << 20, 123_456_789, 2 ** 60].map(size),
    ['0 B', '999 B', '0.98 KB', '1.00 KB', '1.50 KB', '10.0 MB', '118 MB', '1048576 TB']);
  assert.deepEqual([0, 0.25, 9999, 12_345, 1_234_567].map(count), ['0', '0.3', '9999', '12.3 k', '1.23 M']);
  assert.deepEqual([-1, 0, 67.9, 3600, 86_400, 3 * 86_400 + 61].map(duration), ['0:00', '0:00', '1:07', '1:00:00', '24:00:00', '3 d 0:01:01']);
  assert.equal(ended({ code: 1000, reason: 'target closed' }), 'closed: target closed (1000)');
  assert.equal(ended({ code: 1006, reason: 'connection lost' }), 'closed: connection lost');
});
