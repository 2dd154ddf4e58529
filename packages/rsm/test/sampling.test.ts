import { Rng } from '@palimpsest/tensor-core';
import { describe, expect, it } from 'vitest';
import { DocumentStops, drawRsmToken, rsmDistribution } from '../src/index.js';

const kept = (probabilities: Float64Array) =>
  [...probabilities].flatMap((probability, id) => (probability > 0 ? [id] : []));

describe('filters of the next token', () => {
  it('top-k keeps every tie at its border', () => {
    expect(kept(rsmDistribution([1, 3, 2, 2, 0], { topK: 2 }))).toEqual([1, 2, 3]);
    expect([...rsmDistribution([0, 0, 0], { topK: 1 })]).toEqual([1 / 3, 1 / 3, 1 / 3]);
  });

  it('top-p drops a token when those before it have more than p, and keeps the first at 0', () => {
    const logits = [0.5, 0.3, 0.2].map(Math.log);
    expect(kept(rsmDistribution(logits, { topP: 0.5 - 1e-9 }))).toEqual([0]);
    expect(kept(rsmDistribution(logits, { topP: 0.5 + 1e-9 }))).toEqual([0, 1]);
    expect(kept(rsmDistribution(logits, { topP: 0 }))).toEqual([0]);
    expect(kept(rsmDistribution(logits, { topP: 1 }))).toEqual([0, 1, 2]);
    // After top-k, over what is left of the mass: 0.5 and 0.3 become 0.625 and 0.375.
    expect(kept(rsmDistribution(logits, { topK: 2, topP: 0.6 }))).toEqual([0]);
  });

  it('temperature 0 is greedy, ties to the lowest id', () => {
    expect([...rsmDistribution([1, 2, 2], { temperature: 0 })]).toEqual([0, 1, 0]);
    expect(drawRsmToken([1, 2, 2], { temperature: 0 }, Rng.fromSeed(0))).toBe(1);
  });

  it('draws in proportion, and again by the same seed', () => {
    const logits = [0.5, 0.3, 0.2].map(Math.log);
    const draw = (seed: number) => {
      const rng = Rng.fromSeed(seed);
      return Array.from({ length: 4000 }, () => drawRsmToken(logits, {}, rng));
    };
    expect(draw(3)).toEqual(draw(3));
    const share = draw(3).filter((id) => id === 0).length / 4000;
    // Four standard deviations of 4,000 draws are 0.032.
    expect(Math.abs(share - 0.5)).toBeLessThan(0.032);
  });

  it('says which option is out of range', () => {
    expect(() => rsmDistribution([1, 2], { temperature: -1 })).toThrow('temperature is 0 (greedy) or more');
    expect(() => rsmDistribution([1, 2], { topK: 0 })).toThrow(
      'topK is a whole number from 1 to the vocabulary size 2',
    );
    expect(() => rsmDistribution([1, 2], { topK: 3 })).toThrow('but 3 was given');
    expect(() => rsmDistribution([1, 2], { topP: 1.5 })).toThrow('topP is a probability');
  });
});

describe('stop rules after a document', () => {
  const steps = (ids: readonly number[], rules?: ConstructorParameters<typeof DocumentStops>[0]) => {
    const stops = new DocumentStops(rules);
    return ids.findIndex((id) => stops.push(id));
  };
  const counting = Array.from({ length: 60 }, (_, index) => 10 + index);

  it('six times the same token running', () => {
    expect(steps([1, 2, 2, 2, 2, 2, 3, 2, 2, 2, 2, 2, 2, 2])).toBe(12);
    expect(steps(new Array(20).fill(2), { maxRepeats: 0 })).toBe(-1);
  });

  it('a newline once there are more than 20 tokens, a full stop after step 30', () => {
    const withAt = (id: number, ...places: number[]) =>
      counting.map((token, index) => (places.includes(index) ? id : token));
    expect(steps(withAt(1, 5, 19, 20), { newlineIds: [1] })).toBe(20);
    expect(steps(withAt(2, 5, 25, 30, 31), { fullStopIds: [2] })).toBe(31);
  });
});
