import { Rng } from '@palimpsest/tensor-core';
import { expect, it } from 'vitest';
import { transformerOf } from '../src/index.js';
import { fullAttention } from '../src/mechanism/contenders.js';

it('the transformer of comparisons begins with the same weights with any cache', () => {
  const need = { vocabSize: 23, trainLength: 16, longestLength: 16 };
  const model = transformerOf(fullAttention.create(need, { width: 8, layers: 1, heads: 1 }), 'window');
  const windowed = model.withCache({ window: 4 }).withCache({ window: 3, sinks: 1 });
  expect(windowed.options.window).toBe(3);
  expect(windowed.init(Rng.fromSeed(1))).toEqual(model.init(Rng.fromSeed(1)));
});
