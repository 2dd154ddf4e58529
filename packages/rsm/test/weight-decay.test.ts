import { parameterRules } from '@palimpsest/lm';
import { Rng } from '@palimpsest/tensor-core';
import { describe, expect, it } from 'vitest';
import { createRsmModel } from '../src/sequence-model.js';

describe('weight decay', () => {
  it.each(['parity', 'legacy'] as const)(
    'reaches every parameter of the preset %s, as in the published program',
    (preset) => {
      const model = createRsmModel({ preset, vocabSize: 7, hiddenSize: 8, numLayers: 1, numHeads: 1 });
      const rules = parameterRules(model, model.init(Rng.fromSeed(0)), {
        weightDecay: 0.01,
        decayed: 'all',
      });
      expect(rules.some(({ path }) => path === 'tokenEmbedding')).toBe(true);
      expect(rules.filter(({ weightDecay }) => weightDecay !== 0.01)).toEqual([]);
    },
  );
});
