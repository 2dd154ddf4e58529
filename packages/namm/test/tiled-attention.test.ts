import { createEngine, type Engine, ndarray, Rng, runOnce, type tf } from '@palimpsest/tensor-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { attendAmongTokens, hiddenTokens, type TokenAttention } from '../src/scorer/tiled-attention.js';

const [HEADS, TOKENS, WIDTH] = [2, 11, 3];
const rng = Rng.fromSeed(5);
const [query, keys, values] = [0, 1, 2].map(() => rng.normalArray([1, HEADS, TOKENS, WIDTH], 0, 1)) as [
  ReturnType<Rng['normalArray']>,
  ReturnType<Rng['normalArray']>,
  ReturnType<Rng['normalArray']>,
];
const valid = ndarray(
  Uint8Array.from({ length: TOKENS }, (_, i) => Number(i !== 3 && i !== 7)),
  [1, 1, TOKENS],
  'bool',
);

/** The same in plain loops and float64, all pairs at once. */
function expected(isSeen: (i: number, j: number) => boolean): number[] {
  const row = (array: typeof query, head: number, token: number) =>
    Array.from(array.data.subarray((head * TOKENS + token) * WIDTH, (head * TOKENS + token + 1) * WIDTH));
  return Array.from({ length: HEADS }, (_, head) =>
    Array.from({ length: TOKENS }, (__, i) => {
      const weights = Array.from({ length: TOKENS }, (___, j) => {
        const other = row(keys, head, j);
        const logit = row(query, head, i).reduce((sum, value, k) => sum + value * other[k]!, 0);
        return isSeen(i, j) ? Math.exp(logit) : 0;
      });
      const total = weights.reduce((sum, weight) => sum + weight, 0);
      return Array.from({ length: WIDTH }, (___, k) =>
        weights.reduce((sum, weight, j) => sum + (weight / total) * row(values, head, j)[k]!, 0),
      );
    }),
  ).flat(2);
}

let engine: Engine;
beforeAll(async () => {
  engine = await createEngine('onnx');
});
afterAll(() => engine.dispose());

describe('attention among tokens, tile by tile', () => {
  const order = {
    backward: (i: number, j: number) => j >= i,
    forward: (i: number, j: number) => j <= i,
    none: () => true,
  };
  for (const strategy of ['backward', 'forward', 'none'] as const) {
    for (const window of strategy === 'backward' ? [null, 3] : [null]) {
      for (const hides of [false, true]) {
        const name = `${strategy}${window === null ? '' : `, window ${window}`}${hides ? ', some hidden' : ''}`;
        it(`is that of all pairs: ${name}`, async () => {
          const isSeen = (i: number, j: number) =>
            order[strategy](i, j) && (window === null || j - i <= window) && (!hides || valid.data[j] !== 0);
          // A token that sees nothing reads anything; the hidden ones may.
          const counts = (i: number) => !hides || valid.data[i] !== 0;
          for (const tile of [1, 4, 16]) {
            const options = (hidden?: tf.Tensor): TokenAttention => ({
              ...{ maskingStrategy: strategy === 'none' ? null : strategy, window, tile },
              ...(hidden && { hidden }),
            });
            const { data } = await runOnce(
              engine,
              (q: tf.Tensor, k: tf.Tensor, v: tf.Tensor, shown: tf.Tensor) =>
                attendAmongTokens(q, k, v, options(hides ? hiddenTokens(shown) : undefined)),
              query,
              keys,
              values,
              valid,
            );
            const want = expected(isSeen);
            want.forEach((value, at) => {
              if (!counts(Math.floor(at / WIDTH) % TOKENS)) return;
              expect(Math.abs(data[at]! - value)).toBeLessThan(1e-5);
            });
          }
        });
      }
    }
  }
});
