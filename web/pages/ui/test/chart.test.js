import assert from 'node:assert/strict';
import test from 'node:test';
import { top } from '../src/chart.js';

test('the end of a scale', () => {
  assert.deepEqual([0, 0.3, 1, 2, 3, 7, 12, 100, 4999].map((most) => top(most)), [1, 0.5, 1, 2, 5, 10, 20, 100, 5000]);
  assert.deepEqual([0, 1, 1000, 1025].map((most) => top(most, 1024)), [1, 1, 1024, 2048]);
});
