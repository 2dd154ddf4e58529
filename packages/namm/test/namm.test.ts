import { createEngine, type Engine, type NDArray, ndarray, Rng } from '@palimpsest/tensor-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createNAMM, type NAMM } from '../src/index.js';

const INTERVAL = 32;
const WIDTH = 4;
const options = { updateInterval: INTERVAL, maxTokensPerForward: 16, nFft: 8, hopLength: 4 };

let engine: Engine;
beforeAll(async () => {
  engine = await createEngine('cpu');
});
afterAll(() => engine.dispose());

/** A policy with random parameters, which keeps some tokens and drops others. */
const make = (): NAMM =>
  createNAMM({ ...options, normalise: false, parameters: { deviation: 0.3, seed: 4 }, engine });

/** Causal attention of the newest `queries` over `tokens`, `[1, 1, queries, tokens]`. */
function attentionOf(rng: Rng, queries: number, tokens: number): NDArray {
  const values = rng.uniformArray([queries, tokens]).data;
  for (let query = 0; query < queries; query++) {
    const seen = tokens - queries + query + 1;
    const row = values.subarray(query * tokens, (query + 1) * tokens).fill(0, seen);
    const sum = row.reduce((all, value) => all + value, 0);
    for (const [key, value] of row.entries()) row[key] = value / sum;
  }
  return ndarray(values, [1, 1, queries, tokens]);
}

/** The seed's `[1, tokens, queries]` of `[1, 1, queries, tokens]`. */
function byToken({ data, shape }: NDArray): NDArray {
  const [, , queries, tokens] = shape as [number, number, number, number];
  const values = Float32Array.from({ length: data.length }, (_, index) =>
    Number(data[(index % queries) * tokens + Math.floor(index / queries)]),
  );
  return ndarray(values, [1, tokens, queries]);
}

const rowsOf = (rng: Rng, tokens: number) => rng.normalArray([1, tokens, WIDTH]);
const raised = (x: NDArray): NDArray => ({ ...x, shape: [1, 1, x.shape[1]!, WIDTH] });
const flat = (x: NDArray): NDArray => ({ ...x, shape: [1, x.shape[2]!, WIDTH] });
const positionsTo = (tokens: number) =>
  ndarray(
    Int32Array.from({ length: tokens }, (_, position) => position),
    [1, 1, tokens],
    'int32',
  );
/** Tokens behind each other, `[1, tokens, width]`. */
const joined = (a: NDArray, b: NDArray): NDArray =>
  ndarray(Float32Array.from([...a.data, ...b.data].map(Number)), [1, a.shape[1]! + b.shape[1]!, WIDTH]);

describe('createNAMM, the default', () => {
  it('gives pieces of an interval what their rows, filled up with zeros, are given', async () => {
    const rng = Rng.fromSeed(1);
    const pieces = [attentionOf(rng, 16, 16), attentionOf(rng, 16, INTERVAL)];
    const whole = new Float32Array(INTERVAL * INTERVAL);
    for (let query = 0; query < 16; query++) {
      whole.set(pieces[0]!.data.subarray(query * 16, (query + 1) * 16) as Float32Array, query * INTERVAL);
    }
    whole.set(pieces[1]!.data as Float32Array, 16 * INTERVAL);
    const key = raised(rowsOf(rng, INTERVAL));
    const kv = { key, value: key };
    const [cut, uncut] = [make(), make()];
    const ofPieces = await cut.update(0, kv, pieces, positionsTo(INTERVAL));
    const ofWhole = await uncut.update(
      0,
      kv,
      ndarray(whole, [1, 1, INTERVAL, INTERVAL]),
      positionsTo(INTERVAL),
    );
    expect(ofPieces.kept).toEqual(ofWhole.kept);
    expect(ofPieces.lengths.data[0]).toBeGreaterThan(1);
    expect(ofPieces.lengths.data[0]).toBeLessThan(INTERVAL);
    for (const [index, score] of ofPieces.scores.data.entries()) {
      expect(score).toBeCloseTo(Number(ofWhole.scores.data[index]), 5);
    }
    await Promise.all([cut.dispose(), uncut.dispose()]);
  });

  it('keeps in the form of the seed what an update of one head keeps, over two intervals', async () => {
    const rng = Rng.fromSeed(2);
    const [seed, layers] = [make(), make()];
    const first = rowsOf(rng, INTERVAL);
    const early = attentionOf(rng, INTERVAL, INTERVAL);
    const [kept, scores] = await seed.forward({ key: first, value: first }, byToken(early), {
      returnScores: true,
    });
    const updated = await layers.update(
      0,
      { key: raised(first), value: raised(first) },
      early,
      positionsTo(INTERVAL),
    );
    expect(scores!.data).toEqual(updated.scores.data);
    expect(kept.key.data).toEqual(updated.kv.key.data);

    const more = rowsOf(rng, INTERVAL);
    const key = joined(kept.key, more);
    const late = attentionOf(rng, INTERVAL, key.shape[1]!);
    const positions = ndarray(
      Int32Array.from([
        ...updated.positions.data,
        ...positionsTo(INTERVAL).data.map((position) => position + INTERVAL),
      ]),
      [1, 1, key.shape[1]!],
      'int32',
    );
    const [again] = await seed.forward({ key, value: key }, byToken(late));
    const then = await layers.update(0, { key: raised(key), value: raised(key) }, late, positions);
    expect(again.key).toEqual(flat(then.kv.key));
    await Promise.all([seed.dispose(), layers.dispose()]);
  });

  it('waits for the end of an interval, and says of retention what an update then does', async () => {
    const rng = Rng.fromSeed(3);
    const [asked, plain] = [make(), make()];
    const half = rowsOf(rng, INTERVAL / 2);
    const early = byToken(attentionOf(rng, INTERVAL / 2, INTERVAL / 2));
    const [untouched, none] = await asked.forward({ key: half, value: half }, early, { returnScores: true });
    await plain.forward({ key: half, value: half }, early);
    expect([untouched.key, none]).toEqual([half, null]);

    const key = joined(half, rowsOf(rng, INTERVAL / 2));
    const late = byToken(attentionOf(rng, INTERVAL / 2, INTERVAL));
    const summary = await asked.evaluateRetention({ key, value: key }, late);
    expect(await asked.evaluateRetention({ key, value: key }, late)).toEqual(summary);
    const [kept, scores] = await asked.forward({ key, value: key }, late, { returnScores: true });
    const [unasked] = await plain.forward({ key, value: key }, late);
    expect(kept).toEqual(unasked);
    const values = [...scores!.data].map(Number);
    expect(summary).toMatchObject({
      retentionRate: kept.key.shape[1]! / INTERVAL,
      minScore: Math.min(...values),
      maxScore: Math.max(...values),
    });
    await Promise.all([asked.dispose(), plain.dispose()]);
  });

  it('keeps every token with the parameters it starts with, and begins anew after reset', async () => {
    const rng = Rng.fromSeed(4);
    const namm = createNAMM({ ...options, normalise: false, engine });
    const key = rowsOf(rng, INTERVAL);
    const attention = byToken(attentionOf(rng, INTERVAL, INTERVAL));
    const [kept] = await namm.forward({ key, value: key }, attention);
    expect(kept.key.shape).toEqual(key.shape);
    namm.reset();
    expect(await namm.forward({ key, value: key }, attention)).toEqual([kept, null]);
    await namm.dispose();
  });
});
