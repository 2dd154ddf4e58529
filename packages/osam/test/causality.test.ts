import { createEngine, type NDArray, ndarray, type tf, treeMap } from '@palimpsest/tensor-core';
import { describe, expect, it } from 'vitest';
import { blockForward, type OsamOptions, type OsamParams, type OsamState } from '../src/index.js';
import { maxDifference, randomModel, randomTokens, runPieces, toHost, zeroState } from './support/models.js';

const small = { vocabSize: 9, dModel: 8, sketchDim: 20, readoutHidden: 6, chunk: 5 };

describe('causality', async () => {
  const engine = await createEngine('cpu');
  const variants: OsamOptions[] = [
    { ...small, mode: 'parity' },
    small,
    { ...small, convWidth: 4, heads: 2, norm: 'pre', mlpRatio: 2, layers: 2 },
  ];
  for (const options of variants) {
    it(`a token changes nothing before it (${options.mode ?? 'improved'}, ${options.layers ?? 1} blocks)`, async () => {
      const { model, params } = randomModel(options);
      const tokens = randomTokens(1, 19, 9);
      const changed = { ...tokens, data: tokens.data.slice() };
      const at = 11;
      changed.data[at] = (tokens.data[at]! + 1) % 9;
      const before = await runPieces(engine, model, params, tokens, [19]);
      const after = await runPieces(engine, model, params, changed, [19]);
      expect(maxDifference(before.logits.subarray(0, at * 9), after.logits.subarray(0, at * 9))).toBe(0);
      for (const later of [at, at + 1, 18]) {
        const row = (x: Float32Array) => x.subarray(later * 9, (later + 1) * 9);
        expect(maxDifference(row(before.logits), row(after.logits)), `token ${later}`).toBeGreaterThan(1e-6);
      }
    });
  }

  it('a token does not read what it writes: its own key and value leave its output alone', async () => {
    const { model, params } = randomModel({ ...small, keyMix: false });
    const tokens = randomTokens(1, 1, 9);
    const other = treeMap<NDArray, NDArray, OsamParams<NDArray>>(params, (leaf, path) =>
      /\.(key|value)\.weight$|thetaKey$/.test(path)
        ? ndarray(leaf.data.map((x) => 3 * x + 1) as Float32Array, leaf.shape)
        : leaf,
    ) as OsamParams<NDArray>;
    const first = await runPieces(engine, model, params, tokens, [1]);
    const second = await runPieces(engine, model, other, tokens, [1]);
    expect(second.logits).toEqual(first.logits);
    expect(
      maxDifference(first.state.blocks[0]!.valueMemory!.data, second.state.blocks[0]!.valueMemory!.data),
    ).toBeGreaterThan(0.1);
  });
});

describe('relative positions', async () => {
  const engine = await createEngine('cpu');

  for (const mode of ['parity', 'improved'] as const) {
    it(`shifting all positions changes neither features nor values, up to 1/sqrt(t + 1) (${mode})`, async () => {
      const { model, params } = randomModel({ ...small, mode, featureScale: 'reference' });
      const config = model.options;
      const read = engine.compile((p: OsamParams, x: tf.Tensor, position: tf.Tensor, state: OsamState) => {
        const result = blockForward(p.blocks[0]!, x, position, state.blocks[0]!, config, model.plans[0]!, {
          inspect: true,
        });
        return { psi: result.detail!.psi!, raw: result.detail!.vraw! };
      });
      const time = 9;
      const x = ndarray(
        Float32Array.from({ length: time * 8 }, (_, i) => Math.sin(1.7 * i)),
        [1, time, 8],
      );
      const at = async (start: number) => {
        const result = await toHost<{ psi: NDArray; raw: NDArray }>(
          await read(params as never, x, ndarray([start], [1], 'int32'), zeroState(model, 1) as never),
        );
        const rescale = (array: NDArray) => {
          const width = array.shape[2]!;
          return array.data.map((value, i) => value * Math.sqrt(start + Math.floor(i / width) + 1));
        };
        return { psi: rescale(result.psi), raw: rescale(result.raw) };
      };
      const [origin, far] = [await at(0), await at(100_000)];
      // With a speed per channel, products of different channels depend on the position itself; value reads have none.
      if (mode === 'parity') expect(maxDifference(origin.psi, far.psi)).toBeLessThan(2e-4);
      expect(maxDifference(origin.raw, far.raw)).toBeLessThan(2e-4);
      expect(Math.max(...origin.raw.map(Math.abs))).toBeGreaterThan(0.5);
    });
  }
});
