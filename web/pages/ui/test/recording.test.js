import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { isVNC, parse, shorten, toldSize } from '../src/recording.js';

const HEAD = 'var VNC_frame_data = [\n';
const latin1 = (bytes) => String.fromCharCode(...bytes);
const plain = ({ at, toTarget, data }) => `${toTarget ? '>' : '<'}${at} ${latin1(data)}`;

const stories = [
  { what: 'the bridge\u2019s own', text: `${HEAD}'{0{RFB 003.008\\n',\n'}12}a\\\\b\\'c\\x00\\xff\\t\\r',\n'EOF'];\n`, frames: ['<0 RFB 003.008\n', ">12 a\\b'c\x00\xff\t\r"] },
  { what: 'an empty one', text: `${HEAD}'EOF'];\n`, frames: [] },
  { what: 'one that begins with const, on one line', text: "const VNC_frame_data=['{1{a',\"}2}it's\",]", frames: ['<1 a', ">2 it's"] },
  { what: 'times that run backwards', text: `${HEAD}'{9{a',\n'{-5{b',\n'EOF'];`, frames: ['<9 a', '<9 b'] },
  { what: 'an encoding that is named', text: `var VNC_frame_encoding = 'base64';\n${HEAD}'{0{aGk=',\n'EOF'];`, frames: ['<0 hi'] },
  { what: 'an encoding that is seen', text: `${HEAD}'{0{UkZCIDAwMy4wMDgK',\n'}1}aGk=',\n'EOF'];`, frames: ['<0 RFB 003.008\n', '>1 hi'] },
  { what: 'quotes and signs inside a frame', text: `${HEAD}'{0{\\\\',\n'{1{"],;EOF',\n'EOF'];`, frames: ['<0 \\', '<1 "],;EOF'] },
  { what: 'other ways to write a byte', text: `${HEAD}'{0{\\u00e9\\0\\b\\f\\v\\"\u00e9',\n'EOF'];`, frames: ['<0 \xe9\x00\b\f\v"\xe9'] },
  { what: 'one cut inside a frame', text: `${HEAD}'{0{a',\n'{1{b`, frames: ['<0 a'], cut: true },
  { what: 'one cut after a frame', text: `${HEAD}'{0{a',\n`, frames: ['<0 a'], cut: true },
  { what: 'one cut before the comma', text: `${HEAD}'{0{a',\n'{1{b'`, frames: ['<0 a'], cut: true },
  { what: 'one cut inside an escape', text: `${HEAD}'{0{a',\n'{1{b\\`, frames: ['<0 a'], cut: true },
  { what: 'one with zeros after a power cut', text: `${HEAD}'{0{a',\n\0\0\0`, frames: ['<0 a'], cut: true },
];

for (const { what, text, frames, cut = false } of stories) {
  test(what, () => {
    const got = parse(text);
    assert.deepEqual(got.frames.map(plain), frames);
    assert.equal(got.cut, cut);
  });
}

const mistakes = [
  ['', /line 1: not a recording/],
  ['<html>', /line 1: not a recording/],
  ["var VNC_frame_encoding = 'utf-9';", /line 1: the encoding/],
  ['var VNC_frame_data = 7', /line 1: not a recording/],
  [`${HEAD}'hello',\n`, /line 2: a frame does not begin with its time/],
  [`${HEAD}'{0{a',\n'{5}b',\n`, /line 3: a frame does not begin with its time/],
  [`${HEAD}'{0{a'\n'{1{b',\n`, /line 3: .*the comma/],
  [`${HEAD}'{0{a',\n7,\n`, /line 3: a frame in quotes/],
  [`${HEAD}'{0{\\q',\n'EOF'];`, /line 2: a backslash/],
  [`${HEAD}'{0{\u20ac',\n'EOF'];`, /line 2: a frame has a character/],
  [`var VNC_frame_encoding = 'base64';\n${HEAD}'{0{%%',\n'EOF'];`, /line 3: .*base64/],
];

test('what is no recording, and where', () => {
  for (const [text, want] of mistakes) assert.throws(() => parse(text), want, text);
});

// What the recorder's own tests hold is the same here.
test('every byte, and a recording of the bridge', () => {
  const all = Array.from({ length: 256 }, (_, byte) => `\\x${byte.toString(16).padStart(2, '0')}`).join('');
  assert.deepEqual([...parse(`${HEAD}'{0{${all}',\n'EOF'];`).frames[0].data], Array.from({ length: 256 }, (_, byte) => byte));
  const { frames, cut } = parse(readFileSync(new URL('../../../../record/testdata/session.1', import.meta.url), 'utf8'));
  assert.ok(frames.length > 2 && !cut);
});

test('a frame of a megabyte, and many', () => {
  const { frames } = parse(`${HEAD}'{0{${'x'.repeat(1 << 20)}',\n${"'{1{\\\\y',\n".repeat(50_000)}'EOF'];`);
  assert.equal(frames.length, 50_001);
  assert.equal(frames[0].data.length, 1 << 20);
});

const frame = (at, toTarget, ...data) => ({ at, toTarget, data: Uint8Array.from(data) });

test('VNC or text', () => {
  assert.ok(isVNC([frame(0, true, 1), frame(0, false, ...Buffer.from('RFB 003.008\n'))]));
  assert.ok(!isVNC([frame(0, false, ...Buffer.from('RF'))]));
  assert.ok(!isVNC([]));
});

test('pauses are shortened, order and the rest are kept', () => {
  assert.deepEqual(shorten([100, 200, 9000, 9001].map((at) => frame(at)), 1000).map(({ at }) => at), [100, 200, 1200, 1201]);
});

test('the size that a telnet client told', () => {
  assert.deepEqual(toldSize([frame(0, false, 255, 250, 31, 0, 1, 0, 1, 255, 240), frame(1, true, 7, 255, 250, 31, 0, 132, 0, 43, 255, 240)]), [132, 43]);
  assert.equal(toldSize([frame(0, true, 255, 250, 31, 0)]), undefined);
});
