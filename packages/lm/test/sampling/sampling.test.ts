import { readFileSync } from 'node:fs';
import { Rng } from '@palimpsest/tensor-core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  drawToken,
  nextTokenDistribution,
  parseSampling,
  type SamplingOptions,
  topTokens,
} from '../../src/index.js';

const distribution = (logits: number[], options: SamplingOptions, history: number[] = []) => [
  ...nextTokenDistribution(logits, parseSampling(options), history),
];
const logs = (probabilities: number[]) => probabilities.map((probability) => Math.log(probability));
function expectClose(actual: number[], expected: number[], tolerance = 1e-12) {
  expect(actual.length).toBe(expected.length);
  actual.forEach((value, index) => {
    expect(Math.abs(value - expected[index]!)).toBeLessThanOrEqual(tolerance);
  });
}

describe('a draw from all tokens', () => {
  it.each([0.3, 1, 1.7])(
    'follows the distribution and tells the plain log-probability, at temperature %f',
    (temperature) => {
      const rng = Rng.fromSeed(4);
      const logits = Array.from({ length: 300 }, () => 3 * rng.normal());
      const probabilities = distribution(logits, { temperature });
      const plain = logs(distribution(logits, {}));
      for (let seed = 0; seed < 50; seed++) {
        const { id, logProbability } = drawToken(logits, parseSampling({ temperature }), Rng.fromSeed(seed));
        const threshold = Rng.fromSeed(seed).uniform();
        let sum = 0;
        const expected = probabilities.findIndex((probability) => {
          sum += probability;
          return threshold < sum;
        });
        expect(id).toBe(expected);
        expect(logProbability).toBeCloseTo(plain[id]!, 10);
      }
    },
  );
});

describe('nextTokenDistribution', () => {
  it('is the softmax by default, and sharpens with the temperature', () => {
    expectClose(distribution(logs([0.5, 0.3, 0.2]), {}), [0.5, 0.3, 0.2]);
    expectClose(distribution(logs([0.5, 0.3, 0.2]), { temperature: 0.5 }), [25 / 38, 9 / 38, 4 / 38]);
  });

  it('takes the largest logit at temperature 0, the lowest id among equals', () => {
    expect(distribution([1, 3, 3, 2], { temperature: 0 })).toEqual([0, 1, 0, 0]);
  });

  it('keeps exactly k tokens, lower ids first at the k-th value', () => {
    expectClose(distribution(logs([0.2, 0.2, 0.4, 0.2]), { topK: 2 }), [1 / 3, 0, 2 / 3, 0]);
    expectClose(distribution([0, 0], { topK: 5 }), [0.5, 0.5]);
  });

  it('keeps by the rules of ties and of inclusion what stands just at the border', () => {
    const equal = [0, 0, 0, 0];
    expectClose(
      distribution(logs([0.2, 0.2, 0.4, 0.2]), { topK: 2, topKRule: 'ties' }),
      [0.2, 0.2, 0.4, 0.2],
    );
    expectClose(distribution(equal, { topP: 0.5 }), [0.5, 0.5, 0, 0]);
    expectClose(distribution(equal, { topP: 0.5, topPRule: 'inclusive' }), [1 / 3, 1 / 3, 1 / 3, 0]);
    expectClose(distribution(equal, { topP: 1, topPRule: 'inclusive' }), [0.25, 0.25, 0.25, 0.25]);
  });

  it('keeps what sorting all ids would keep, ties and banned ids included', () => {
    const score = fc.integer({ min: -2, max: 2 });
    fc.assert(
      fc.property(fc.array(score, { minLength: 2, maxLength: 12 }), fc.nat(14), (logits, topK) => {
        const order = logits.map((_, id) => id).filter((id) => id !== 1);
        order.sort((a, b) => logits[b]! - logits[a]! || a - b);
        const kept = topK === 0 ? order : order.slice(0, topK);
        const sum = kept.reduce((total, id) => total + Math.exp(logits[id]!), 0);
        const expected = logits.map((logit, id) => (kept.includes(id) ? Math.exp(logit) / sum : 0));
        expectClose(distribution(logits, { topK, bannedIds: [1] }), expected);
      }),
    );
  });

  it('keeps the smallest prefix that reaches p, or by the exclusive rule what stays within it', () => {
    const logits = logs([0.1, 0.4, 0.3, 0.2]);
    expectClose(distribution(logits, { topP: 0.6 }), [0, 4 / 7, 3 / 7, 0]);
    expectClose(distribution(logits, { topP: 0.6, topPRule: 'exclusive' }), [0, 1, 0, 0]);
    expectClose(distribution(logits, { topP: 0.75, topPRule: 'exclusive' }), [0, 4 / 7, 3 / 7, 0]);
    expectClose(distribution(logits, { topP: 0.01 }), [0, 1, 0, 0]);
    expectClose(distribution(logits, { topP: 0.01, topPRule: 'exclusive' }), [0, 1, 0, 0]);
  });

  it('cuts by min-p after top-p', () => {
    expectClose(distribution(logs([0.5, 0.3, 0.2]), { minP: 0.5 }), [5 / 8, 3 / 8, 0]);
    expectClose(distribution(logs([0.5, 0.3, 0.2]), { minP: 0.5, topP: 0.4 }), [1, 0, 0]);
  });

  it('stays a distribution for the smallest temperature, whatever cuts', () => {
    for (const cut of [{}, { topP: 0.9 }, { minP: 0.1 }, { topK: 2 }])
      expect(distribution([1, 3, 2], { temperature: Number.MIN_VALUE, ...cut })).toEqual([0, 1, 0]);
  });

  it('applies top-p to what top-k left, after the temperature', () => {
    // Squared and cut to three: 16, 9, 4 of 29; 16 / 29 = 0.55 does not reach 0.6, 25 / 29 does.
    expectClose(distribution(logs([0.1, 0.4, 0.3, 0.2]), { temperature: 0.5, topK: 3, topP: 0.6 }), [
      0,
      16 / 25,
      9 / 25,
      0,
    ]);
    // Without top-k 0.53 + 0.3 = 0.83 would not be enough for 0.84.
    expectClose(distribution(logs([0.1, 0.4, 0.3, 0.2]), { temperature: 0.5, topK: 3, topP: 0.84 }), [
      0,
      16 / 25,
      9 / 25,
      0,
    ]);
  });

  it('never draws padded or banned ids, whatever they score', () => {
    expectClose(distribution([9, 0, 0, 9], { bannedIds: [0], paddedFrom: 3 }), [0, 0.5, 0.5, 0]);
    expect(distribution([9, 1, 0, 9], { bannedIds: [0], paddedFrom: 3, temperature: 0 })).toEqual([
      0, 1, 0, 0,
    ]);
    expect(() => distribution([1, 2], { bannedIds: [0, 1] })).toThrow('banned or padded');
    expect(() => distribution([1, Number.NaN], {})).toThrow('token 1 is NaN');
  });

  it('penalises before the temperature divides', () => {
    const softmax = (scores: number[]) => {
      const weights = scores.map((score) => Math.exp(score));
      return weights.map((weight) => weight / weights.reduce((a, b) => a + b));
    };
    expectClose(distribution([2, -1, 0], { repetitionPenalty: 2 }, [0, 1, 1]), softmax([1, -2, 0]));
    const penalties = { frequencyPenalty: 0.5, presencePenalty: 0.25, temperature: 2 };
    expectClose(distribution([2, -1, 0], penalties, [0, 1, 1]), softmax([1.25 / 2, -2.25 / 2, 0]));
  });

  it('refuses options that do not fit', () => {
    expect(() => parseSampling({ topP: 1.5 })).toThrow("'topP'");
    expect(() => parseSampling({ temperture: 1 } as SamplingOptions)).toThrow('temperture');
  });

  it('agrees with the recorded distributions of both top-p rules', () => {
    const golden = JSON.parse(readFileSync(new URL('../golden/sampling.json', import.meta.url), 'utf8'));
    expect(golden.settings.length).toBe(10);
    golden.settings.forEach((setting: { temp: number; topK: number; topP: number }, index: number) => {
      const logits: number[] = golden[`in/s${index}/logits`][0];
      for (const [rule, name] of [
        ['exclusive', 'probs'],
        ['nucleus', 'probsNucleus'],
      ] as const) {
        const actual = distribution(logits, {
          temperature: Math.max(1e-6, setting.temp),
          topK: setting.topK,
          topP: setting.topP,
          topPRule: rule,
        });
        expectClose(actual, golden[`out/s${index}/${name}`][0], 2e-6);
      }
    });
    expect(distribution(golden['in/greedyLogits'][0], { temperature: 0 })[golden['out/greedy'][0]]).toBe(1);
  });
});

describe('drawToken', () => {
  it('draws 20,000 tokens with the frequencies of the distribution', () => {
    const logits = logs([0.05, 0.45, 0.3, 0.2]);
    const sampling = parseSampling({ topP: 0.9 });
    const expected = nextTokenDistribution(logits, sampling);
    expectClose([...expected], [0, 9 / 19, 6 / 19, 4 / 19]);
    const rng = Rng.fromSeed(11);
    const counts = [0, 0, 0, 0];
    for (let i = 0; i < 20_000; i++) counts[drawToken(logits, sampling, rng).id]! += 1;
    expect(counts[0]).toBe(0);
    // Chi-square with 2 degrees of freedom exceeds 13.8 once in a thousand seeds.
    const statistic = [1, 2, 3].reduce(
      (sum, id) => sum + (counts[id]! - 20_000 * expected[id]!) ** 2 / (20_000 * expected[id]!),
      0,
    );
    expect(statistic).toBeLessThan(13.8);
  });

  it('is repeatable from a seed, and greedy draws use no random number', () => {
    const logits = logs([0.4, 0.35, 0.25]);
    const draws = (rng: Rng) => Array.from({ length: 20 }, () => drawToken(logits, parseSampling(), rng).id);
    expect(draws(Rng.fromSeed(4))).toEqual(draws(Rng.fromSeed(4)));
    const rng = Rng.fromSeed(4);
    const state = rng.state();
    expect(drawToken(logits, parseSampling({ temperature: 0 }), rng).id).toBe(0);
    expect(rng.state()).toEqual(state);
  });

  it('reports log-probabilities of the model, before anything is cut', () => {
    const logits = logs([0.4, 0.35, 0.25]).map((value) => value + 7);
    const { logProbability } = drawToken(logits, parseSampling({ topK: 1 }), Rng.fromSeed(0));
    expect(logProbability).toBeCloseTo(Math.log(0.4), 12);
    expect(topTokens([1, 2, 2], 2).map(({ id }) => id)).toEqual([1, 2]);
    expect(topTokens(logits, 3)[2]!.logProbability).toBeCloseTo(Math.log(0.25), 12);
  });
});
