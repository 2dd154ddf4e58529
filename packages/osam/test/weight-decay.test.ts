import { parameterRules, parseTraining, settingsOfRecipe } from '@palimpsest/lm';
import { Rng } from '@palimpsest/tensor-core';
import { describe, expect, it } from 'vitest';
import { osam } from '../src/architecture.js';
import { createOsamModel, presets } from '../src/index.js';

/** Rules under the recipe that belongs to the preset. */
const rulesOf = (preset: 'reference' | 'improved') => {
  const { decayed } = parseTraining(settingsOfRecipe(osam.presets[preset]?.recipe));
  const model = createOsamModel(
    presets[preset]({ vocabSize: 7, dModel: 8, sketchDim: 16, readoutHidden: 4 }),
  );
  return parameterRules(model, model.init(Rng.fromSeed(0)), { weightDecay: 0.01, decayed });
};

describe('weight decay', () => {
  it('reaches every parameter of the reference preset, as in the published program', () => {
    const rules = rulesOf('reference');
    expect(rules).toHaveLength(22);
    expect(rules.filter(({ weightDecay }) => weightDecay !== 0.01)).toEqual([]);
    expect(rules.filter(({ rate }) => rate === 10).map(({ path }) => path.split('.').at(-1))).toEqual(
      expect.arrayContaining(['thetaQuery', 'thetaKey', 'omega', 'gateFeature', 'gateValue']),
    );
  });

  it('leaves phases, gates, embeddings, biases and gains alone by default', () => {
    const decayed = rulesOf('improved').filter(({ weightDecay }) => weightDecay > 0);
    expect(decayed.map(({ path }) => path)).not.toEqual([]);
    expect(decayed.filter(({ path }) => !/weight$/.test(path))).toEqual([]);
  });
});
