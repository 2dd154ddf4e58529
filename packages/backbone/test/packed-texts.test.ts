import { ndarray, runOnce, tf, valueAndGradient } from '@palimpsest/tensor-core';
import { describe, expect, it } from 'vitest';
import type { PackedTexts, TransformerOptions, TransformerParameters } from '../src/index.js';
import { packTexts } from '../src/index.js';
import { engines, livelyModel, maxDifference, randomTokens, withEngine } from './helpers.js';

const SLOTS = 3;
const LENGTHS = [5, 9, 2];
/** Rows that are read, the prefix counted: not in order, and none of the last text but its last. */
const READ = [[6, 4, 5], [11], [4]];
const TIME = 10;
const HEADS = { heads: 4, keyValueHeads: 2 };

const models: Readonly<Record<string, Partial<TransformerOptions>>> = {
  'learned positions': { context: 16 },
  'rotary positions and grouped queries': {
    positions: 'rotary',
    norm: 'rms',
    activation: 'swiglu',
    keyValueHeads: 2,
    mlpWidth: 24,
    queryKeyNorm: true,
  },
  'a local layer': { positions: 'rotary', localLayers: [1], localWindow: 3, layers: 3 },
};

const tokens = randomTokens(LENGTHS.length, TIME);
const prefix = ndarray(
  Float32Array.from({ length: LENGTHS.length * SLOTS * 16 }, (_, i) => Math.sin(1.7 * i)),
  [LENGTHS.length, SLOTS, 16],
);
const pack = (heads: { readonly heads: number; readonly keyValueHeads: number }) =>
  packTexts(
    heads,
    LENGTHS.map((length, text) => ({ length: SLOTS + length, read: READ[text]! })),
    SLOTS + TIME,
  );
const count = READ.flat().length;

/** A sum over logits in which each of them counts otherwise, `[rows, vocabSize]`. */
const weighed = (logits: tf.Tensor, first: number) => {
  const [rows, width] = logits.shape as [number, number];
  const weights = Float32Array.from({ length: rows * width }, (_, i) => Math.cos(0.3 * (first * width + i)));
  return tf.sum(tf.mul(logits, tf.tensor2d(weights, [rows, width])));
};

describe.each(Object.entries(models))('packed texts and a model with %s', (_name, options) => {
  const { model, params } = livelyModel(options);

  it.each(engines)('give the logits and gradients of the texts one by one (%s)', async (name) => {
    await withEngine(name, async (engine) => {
      const together = (
        weights: TransformerParameters,
        given: PackedTexts,
        ids: tf.Tensor,
        slots: tf.Tensor,
      ) => {
        const { value, gradients, aux } = valueAndGradient((softPrefix: tf.Tensor) => {
          const logits = model.readPacked(weights, { tokens: ids, softPrefix }, given);
          const read = tf.slice(logits, [0, 0], [count, model.vocabSize]);
          return [weighed(read, 0), read] as const;
        }, slots);
        return { value, gradients, logits: aux };
      };
      const alone = (weights: TransformerParameters, ids: tf.Tensor, slots: tf.Tensor) => {
        let first = 0;
        const texts = LENGTHS.map((length, text) => {
          const own = tf.slice(ids, [text, 0], [1, length]);
          const from = first;
          first += READ[text]!.length;
          return valueAndGradient(
            (softPrefix: tf.Tensor) => {
              const state = model.initState(weights, 1);
              const { logits } = model.run(weights, { tokens: own, softPrefix }, state);
              const rows = tf.reshape(logits!, [SLOTS + length, model.vocabSize]);
              const read = tf.gather(rows, tf.tensor1d(READ[text]!, 'int32'));
              return [weighed(read, from), read] as const;
            },
            tf.slice(slots, [text, 0, 0], [1, SLOTS, 16]),
          );
        });
        return {
          value: tf.addN(texts.map(({ value }) => value)),
          gradients: tf.concat(
            texts.map(({ gradients }) => gradients as tf.Tensor),
            0,
          ),
          logits: tf.concat(
            texts.map(({ aux }) => aux),
            0,
          ),
        };
      };
      const one = await runOnce(engine, together, params, pack(model.options), tokens, prefix);
      const each = await runOnce(engine, alone, params, tokens, prefix);
      for (const part of ['value', 'gradients', 'logits'] as const) {
        const [a, b] = [one[part]!.data, each[part]!.data];
        expect(maxDifference(a, b) / Math.max(...Array.from(b, Math.abs)), part).toBeLessThan(1e-5);
      }
    });
  });
});

describe('packing', () => {
  it('lists every row once, those that are read in their order, and fills numbers up with others', () => {
    const { places, spread, collect, read, slots, queries } = pack(HEADS);
    expect(new Set(places.data).size).toBe(places.data.length);
    expect(places.data.length).toBe(Math.min(32, LENGTHS.length * (SLOTS + TIME)));
    expect(new Set(read.data).size).toBe(read.data.length);
    expect(new Set(slots.data).size).toBe(HEADS.heads * read.data.length);
    expect(new Set(spread.data).size).toBe(8 * places.data.length);
    expect(new Set(collect.data).size).toBe(HEADS.heads * places.data.length);
    const rows = READ.flatMap((list, text) => list.map((t) => text * (SLOTS + TIME) + t));
    expect(Array.from(read.data.slice(0, count), (row) => places.data[row])).toEqual(rows);
    expect(Float32Array.from(queries.data).reduce((sum, value) => sum + value, 0)).toBe(count);
  });

  it('refuses rows that a text does not have, rows that are named twice, and texts of which nothing is read', () => {
    expect(() => packTexts(HEADS, [{ length: 3, read: [3] }], 8)).toThrow('[3]');
    expect(() => packTexts(HEADS, [{ length: 3, read: [1, 1] }], 8)).toThrow('[1, 1]');
    expect(() => packTexts(HEADS, [{ length: 9, read: [1] }], 8)).toThrow('9 rows');
    expect(() => packTexts(HEADS, [{ length: 3, read: [] }], 8)).toThrow('at least one row');
  });
});
