import { Rng } from '@palimpsest/tensor-core';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { drawCopying } from '../src/tasks/copying.js';
import { drawInduction } from '../src/tasks/induction.js';
import { drawCompression } from '../src/tasks/mad-compression.js';
import { drawMemorisation } from '../src/tasks/mad-memorisation.js';
import { drawMadRecall } from '../src/tasks/mad-recall.js';
import { drawMqar, drawWithoutReplacement } from '../src/tasks/mqar.js';
import { drawPasskey } from '../src/tasks/passkey.js';
import { drawRetrieval } from '../src/tasks/retrieval-distance.js';

const seeds = fc.integer();
const asked = (targets: Int32Array) => [...targets].flatMap((target, at) => (target === -1 ? [] : [at]));

describe('mqar', () => {
  it('tells pairs without repetition, asks every key once at an even offset, expects its value', () => {
    fc.assert(
      fc.property(seeds, fc.integer({ min: 1, max: 6 }), fc.boolean(), (seed, pairs, randomNonQueries) => {
        const length = 4 * pairs + 8;
        const draw = drawMqar({ vocabSize: 32, length, pairs, randomNonQueries });
        const { inputs, targets } = draw(Rng.fromSeed(seed));
        const told = new Map<number, number>();
        for (let at = 0; at < 2 * pairs; at += 2) told.set(inputs[at]!, inputs[at + 1]!);
        expect(told.size).toBe(pairs);
        expect(new Set(told.values()).size).toBe(pairs);
        expect([...told.keys()].every((key) => key >= 1 && key < 16)).toBe(true);
        expect([...told.values()].every((value) => value >= 16 && value < 32)).toBe(true);
        const places = asked(targets);
        expect(places.map((at) => inputs[at]!).sort()).toEqual([...told.keys()].sort());
        for (const at of places) {
          expect(at % 2).toBe(0);
          expect(targets[at]).toBe(told.get(inputs[at]!));
        }
        if (randomNonQueries) return;
        const rest = [...inputs].filter((_, at) => at >= 2 * pairs && !places.includes(at));
        expect(rest.every((token) => token === 0)).toBe(true);
      }),
    );
  });

  it('places follow p(i) ∝ i^(a - 1): the first of 16 slots is drawn about 16 times as often as the last', () => {
    const rng = Rng.fromSeed(1);
    const weights = Float64Array.from({ length: 16 }, (_, slot) => (slot + 1) ** -0.99);
    const counts = new Int32Array(16);
    for (let draw = 0; draw < 40_000; draw++) counts[drawWithoutReplacement(rng, weights, 1)[0]!]! += 1;
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    counts.forEach((count, slot) => {
      expect(Math.abs(count / 40_000 - weights[slot]! / total)).toBeLessThan(0.01);
    });
    expect(new Set(drawWithoutReplacement(rng, weights, 16)).size).toBe(16);
  });

  it('refuses what does not fit', () => {
    const shape = { vocabSize: 32, length: 16, pairs: 5, randomNonQueries: false };
    expect(() => drawMqar(shape)).toThrow('needs at least 20 tokens, but the length is 16');
    expect(() => drawMqar({ ...shape, length: 80, pairs: 16 })).toThrow('needs a vocabulary above 33');
  });
});

describe('other tasks', () => {
  it('induction: what followed the special token the first time', () => {
    fc.assert(
      fc.property(seeds, fc.integer({ min: 3, max: 40 }), (seed, length) => {
        const { inputs, targets } = drawInduction(9, length)(Rng.fromSeed(seed));
        expect(asked(targets)).toEqual([length - 1]);
        expect(inputs[length - 1]).toBe(0);
        const first = inputs.indexOf(0);
        expect(first).toBeLessThan(length - 1);
        expect(targets[length - 1]).toBe(inputs[first + 1]);
        expect(inputs.filter((token) => token === 0)).toHaveLength(2);
      }),
    );
  });

  it('copying: all tokens in order, or only the data among blanks', () => {
    fc.assert(
      fc.property(
        seeds,
        fc.integer({ min: 1, max: 12 }),
        fc.integer({ min: 0, max: 20 }),
        (seed, count, extra) => {
          const { inputs, targets } = drawCopying(5, count, count + extra)(Rng.fromSeed(seed));
          expect(inputs).toHaveLength(2 * count + extra);
          const data = [...inputs.subarray(0, count + extra)].filter((token) => token >= 2);
          expect(data).toHaveLength(count);
          expect([...targets].filter((target) => target !== -1)).toEqual(data);
          expect(asked(targets)[0]).toBe(count + extra);
          expect(inputs[count + extra]).toBe(1);
          expect(inputs.subarray(count + extra + 1).every((token) => token === 0)).toBe(true);
        },
      ),
    );
  });

  it('MAD recall: a value is expected exactly where its key was seen before, in all three forms', () => {
    fc.assert(
      fc.property(seeds, fc.constantFrom(0, 0.3), (seed, noise) => {
        const shape = { vocabSize: 12, length: 60, longestMotif: 1, noise, noiseTokens: 4 };
        const { inputs, targets } = drawMadRecall(shape)(Rng.fromSeed(seed));
        const map = new Map<number, number>();
        inputs.forEach((token, at) => {
          const isKey = token < 6;
          expect(targets[at]).toBe(isKey ? (map.get(token) ?? -1) : -1);
          const value = inputs[at + 1];
          if (!isKey || value === undefined) return;
          expect(value).toBe(map.get(token) ?? value);
          map.set(token, value);
        });
        const share = inputs.filter((token) => token >= 12).length / 60;
        expect(noise === 0 ? share : 0).toBe(0);
      }),
    );
    const fuzzy = { vocabSize: 12, length: 200, longestMotif: 3, noise: 0, noiseTokens: 0 };
    const { inputs, targets } = drawMadRecall(fuzzy)(Rng.fromSeed(3));
    for (const at of asked(targets)) if (at + 1 < 200) expect(targets[at]).toBe(inputs[at + 1]);
    expect(asked(targets).length).toBeGreaterThan(50);
  });

  it('memorisation: one map for all sequences; compression: every token, asked at its own place', () => {
    const map = new Map<number, number>();
    for (let seed = 0; seed < 50; seed++) {
      const { inputs, targets } = drawMemorisation(6, 10, 7)(Rng.fromSeed(seed));
      for (const at of asked(targets)) {
        expect(inputs[at]).toBe(0);
        const known = map.get(inputs[at - 1]!);
        if (known !== undefined) expect(targets[at]).toBe(known);
        map.set(inputs[at - 1]!, targets[at]!);
      }
    }
    expect(new Set(map.values()).size).toBe(6);
    const compressed = drawCompression(5, 8)(Rng.fromSeed(1));
    expect([...compressed.targets]).toEqual([...compressed.inputs.subarray(0, 7), -1]);
    expect(compressed.inputs[7]).toBe(5);
  });

  it('retrieval: the value stands the asked distance before the question', () => {
    fc.assert(
      fc.property(
        seeds,
        fc.integer({ min: 0, max: 30 }),
        fc.integer({ min: 0, max: 9 }),
        (seed, distance, lead) => {
          const length = lead + distance + 4;
          const draw = drawRetrieval({ keys: 3, values: 4, fillers: 2 }, distance, length);
          const { inputs, targets } = draw(Rng.fromSeed(seed));
          expect(asked(targets)).toEqual([length - 1]);
          expect(inputs[length - 2]).toBe(9);
          expect(inputs[lead]).toBe(inputs[length - 1]);
          expect(inputs[lead + 1]).toBe(targets[length - 1]);
          expect(inputs.filter((token) => token >= 3 && token < 7)).toHaveLength(1);
        },
      ),
    );
  });

  it('passkey: the digits stand at their depth and nowhere else, and are asked one after the other', () => {
    for (const depth of [0, 0.5, 1]) {
      const { inputs, targets } = drawPasskey(3, 80, depth)(Rng.fromSeed(5));
      const key = [...targets].filter((target) => target !== -1);
      expect(asked(targets)).toEqual([77, 78, 79]);
      expect([...inputs.subarray(78)]).toEqual(key.slice(0, 2));
      const digits = [...inputs.subarray(0, 72)].flatMap((token, at) => (token < 10 ? [at] : []));
      expect(digits.map((at) => inputs[at])).toEqual(key);
      // " key 000." has 9 characters; 80 - 6 of the question - 2 told digits are the room.
      expect(digits[0]).toBe(Math.round(depth * (72 - 9)) + 5);
    }
    expect(() => drawPasskey(8, 20, 0)).toThrow('needs a text of at least 27 characters');
  });
});
