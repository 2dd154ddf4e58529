import type { AnySequenceModel } from '@palimpsest/lm';
import { createEngine, ndarray, Rng } from '@palimpsest/tensor-core';
import { expect, it } from 'vitest';
import { policyContenders } from '../src/contender/contenders.js';
import { recallPolicyOf } from '../src/contender/namm-contender.js';
import { recallPolicy } from '../src/contender/recall-policy.js';
import { parameterCount } from '../src/index.js';

const need = { vocabSize: 24, trainLength: 32, longestLength: 32 };

it('is among the contenders, and holds no more keys and values than others of its budget', async () => {
  const engine = await createEngine('cpu');
  const ids = Int32Array.from({ length: 32 }, (_, i) => (5 * i + (i % 7)) % 24);
  const bytesOf = async (name: string) => {
    const contender = policyContenders.find((candidate) => candidate.name === name);
    if (contender?.kind !== 'trained') throw new Error(`no trained contender '${name}'`);
    const given = contender.options.parse({ width: 16, layers: 1, heads: 1, budget: 8 });
    const model: AnySequenceModel = contender.create(need, given);
    const reader = await model.reader!(engine, model.init(Rng.fromSeed(2)), 1);
    await reader.read(ndarray(ids, [1, 32], 'int32'));
    const bytes = reader.largestStateBytes;
    await reader.dispose();
    return bytes;
  };
  const [namm, recency] = [await bytesOf('cache-namm'), await bytesOf('cache-recency')];
  // A slot has keys and values of 16 numbers and a position, and here a spectrum of 5 and 4 to 7 rows that windows reach back to.
  expect(namm).toBeGreaterThan(recency);
  expect(namm).toBeLessThanOrEqual((recency * (33 + 5 + 7)) / 33);
  await engine.dispose();
});

it('brings a policy that says where it comes from', () => {
  const { config, parameters, statistics } = recallPolicyOf(12, 8);
  expect(parameters).toHaveLength(parameterCount(config));
  expect(parameters.every((value) => Number.isFinite(value) && value !== 0)).toBe(true);
  expect(config.selection).toEqual({ kind: 'binary', cacheSize: 12 });
  expect(statistics![0]!.mean).toHaveLength(5);
  const { newestAlone, evolved } = recallPolicy.card.heldOut;
  expect(evolved).toBeGreaterThan(2 * newestAlone);
  expect(() => recallPolicyOf(12, 6)).toThrow(
    'updateInterval is a multiple of hopLength, but 6 is none of 4.',
  );
});
