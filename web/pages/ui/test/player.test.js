import assert from 'node:assert/strict';
import test from 'node:test';
import { Player } from '../src/player.js';

/** A player of a, b and c at 0, 100 and 1000 ms, and what its sink shows. */
function player() {
  const sink = { shown: '', resets: 0, reset() { this.shown = ''; this.resets++; }, write(word) { this.shown += word; } };
  const frames = [[0, 'a'], [100, 'b'], [500, '?', true], [1000, 'c']].map(([at, data, toTarget = false]) => ({ at, data, toTarget }));
  return { sink, player: new Player(frames, sink) };
}

test('plays in time, at its speed, to the end', async () => {
  const { sink, player: p } = player();
  await p.tick(1000);
  assert.equal(sink.shown, '', 'nothing plays by itself');
  await p.play();
  await p.tick(99);
  assert.equal(sink.shown, 'a');
  p.speed = 4;
  await p.tick(1);
  assert.equal(sink.shown, 'ab');
  p.pause();
  await p.tick(5000);
  assert.equal(sink.shown, 'ab');
  await p.play();
  await p.tick(5000);
  assert.deepEqual([sink.shown, p.playing, p.position], ['abc', false, 1000]);
  await p.play();
  assert.deepEqual([sink.shown, sink.resets, p.playing], ['a', 1, true]);
});

test('goes forth at once and back from the start', async () => {
  const { sink, player: p } = player();
  await p.seek(1e9);
  assert.deepEqual([sink.shown, sink.resets, p.position], ['abc', 0, 1000]);
  await p.seek(150);
  assert.deepEqual([sink.shown, sink.resets], ['ab', 1]);
  await p.seek(-5);
  assert.deepEqual([sink.shown, p.position], ['a', 0]);
});

test('a sink that is slow is waited for, and a seek meanwhile counts', async () => {
  const { sink, player: p } = player();
  const waiting = [];
  sink.write = (word) => new Promise((resolve) => { waiting.push(() => { sink.shown += word; resolve(); }); });
  const gone = p.seek(1000);
  assert.equal(waiting.length, 1);
  await p.seek(100); // back, while a is being written
  for (let n = 0; n < 3; n++) {
    waiting.shift()();
    await new Promise((resolve) => { setImmediate(resolve); });
  }
  await gone;
  assert.deepEqual([sink.shown, p.position, waiting.length], ['aab', 100, 0], 'a in flight, then from the start');
});

test('stopped is stopped', async () => {
  const { sink, player: p } = player();
  await p.play();
  p.stop();
  await p.tick(5000);
  assert.equal(sink.shown, 'a'.slice(0, sink.shown.length));
  assert.equal(p.playing, false);
});
