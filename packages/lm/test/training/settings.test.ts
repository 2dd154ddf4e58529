import { ndarray, zeros } from '@palimpsest/tensor-core';
import { describe, expect, it } from 'vitest';
import { parameterRules, parseTraining, scheduleOf } from '../../src/index.js';

describe('parameterRules', () => {
  const params = {
    embedding: zeros([5, 4]),
    blocks: [
      { query: { weight: zeros([4, 4]), bias: zeros([4]) }, norm: { gain: zeros([4]) }, gate: ndarray(0.5) },
    ],
  };
  const summary = (rules: ReturnType<typeof parameterRules>) =>
    Object.fromEntries(
      rules.map(({ path, rate, weightDecay, frozen }) => [path, [rate, weightDecay, frozen]]),
    );

  it('decays matrices and leaves embeddings, biases, gains and scalars alone', () => {
    expect(summary(parameterRules({}, params, { weightDecay: 0.1, decayed: 'matrices' }))).toEqual({
      embedding: [1, 0, false],
      'blocks.0.query.weight': [1, 0.1, false],
      'blocks.0.query.bias': [1, 0, false],
      'blocks.0.norm.gain': [1, 0, false],
      'blocks.0.gate': [1, 0, false],
    });
    const all = parameterRules({}, params, { weightDecay: 0.1, decayed: 'all' });
    expect(all.map(({ weightDecay }) => weightDecay)).toEqual([0.1, 0.1, 0.1, 0.1, 0.1]);
  });

  it('lets the first matching group of the model decide', () => {
    const model = {
      parameterGroups: () => [
        { match: /gate$/, rate: 10, decays: true },
        { match: /^blocks/, frozen: true },
        { match: /query/, rate: 3 },
      ],
    };
    const rules = parameterRules(model, params, { weightDecay: 0.1, decayed: 'matrices' });
    expect(summary(rules)).toMatchObject({
      embedding: [1, 0, false],
      'blocks.0.gate': [10, 0.1, false],
      'blocks.0.query.weight': [1, 0.1, true],
    });
    expect(rules.map(({ group }) => group)).toEqual(['default', '^blocks', '^blocks', '^blocks', 'gate$']);
  });

  it('decays what a group exempts when everything decays', () => {
    const model = { parameterGroups: () => [{ match: /^blocks/, rate: 2, decays: false }] };
    const decayOf = (decayed: 'matrices' | 'all') =>
      parameterRules(model, params, { weightDecay: 0.1, decayed }).map(({ weightDecay }) => weightDecay);
    expect(decayOf('matrices')).toEqual([0, 0, 0, 0, 0]);
    expect(decayOf('all')).toEqual([0.1, 0.1, 0.1, 0.1, 0.1]);
  });
});

describe('training settings', () => {
  it('have defaults and name what does not fit', () => {
    expect(parseTraining()).toMatchObject({
      steps: 1000,
      clip: 1,
      betas: [0.9, 0.95],
      decayed: 'matrices',
      accumulate: 1,
    });
    expect(() => parseTraining({ steps: 0 })).toThrow("'steps'");
    expect(() => parseTraining({ betas: [0.9, 1] })).toThrow("'betas.1'");
    expect(() => parseTraining({ ema: 1 })).toThrow("'ema'");
    expect(() => parseTraining({ ema: 0.9, optimizer: 'schedule-free-radam' })).toThrow('by itself');
  });

  it('give the learning rate of each step', () => {
    const cosine = scheduleOf(
      parseTraining({ steps: 10, warmupSteps: 2, learningRate: 1, minimumRate: 0.2 }),
    );
    expect([0, 1, 2].map(cosine)).toEqual([0.5, 1, 1]);
    expect(cosine(6)).toBeCloseTo(0.6, 12);
    expect(cosine(10)).toBeCloseTo(0.2, 12);
    const constant = scheduleOf(parseTraining({ schedule: 'constant', warmupSteps: 4, learningRate: 2 }));
    expect([0, 1, 3, 4, 900].map(constant)).toEqual([0.5, 1, 2, 2, 2]);
  });
});
