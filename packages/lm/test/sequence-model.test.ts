import { createEngine, type NDArray, ndarray, Rng, type tf, treeLeaves } from '@palimpsest/tensor-core';
import { describe, expect, it } from 'vitest';
import { type AnySequenceModel, countParameters, stateBytes, treeBytes } from '../src/index.js';
import { type GatedParams, type GatedState, gatedRecurrence } from './support/gated-recurrence.js';

const model = gatedRecurrence({ vocabSize: 7, width: 4, dropout: 0 });

describe('the contract', () => {
  it('counts parameters, their bytes and the bytes of a state', async () => {
    const params = model.init(Rng.fromSeed(0));
    const count = 7 * 4 + (16 + 4) + 16 + (28 + 7) + 4;
    expect(countParameters(params)).toBe(count);
    expect(treeBytes(params)).toBe(4 * count);
    // Four floats and one integer per text.
    expect(await stateBytes(model)).toBe(20);
    expect(await stateBytes(model, 3, params)).toBe(60);
  });

  it('lets every model stand where any model is asked for', () => {
    const any: AnySequenceModel = model;
    expect(any.name).toBe('gated-recurrence');
  });

  it('says forward = step = forward in pieces for the test model', async () => {
    const engine = await createEngine('cpu');
    const params = model.init(Rng.fromSeed(1));
    const tokens = [3, 1, 4, 1, 5, 2, 6, 5];
    const initState = engine.compile((tree: GatedParams) => model.initState(tree, 1));
    const forward = engine.compile((tree: GatedParams, ids: tf.Tensor2D, state: GatedState) =>
      model.forward(tree, ids, state, { training: false }),
    );
    const step = engine.compile(model.step);
    const whole = await forward(params, ndarray(tokens, [1, 8], 'int32'), await initState(params));
    const expected = await whole.logits.data();
    let state = await initState(params);
    for (const [index, token] of tokens.entries()) {
      const result = await step(params, ndarray([token], [1], 'int32'), state);
      state = result.state;
      [...(await result.logits.data())].forEach((value, id) => {
        expect(Math.abs(value - expected[index * 7 + id]!)).toBeLessThan(1e-6);
      });
    }
    let pieces = await initState(params);
    for (const [from, to] of [
      [0, 3],
      [3, 8],
    ] as const) {
      const ids = ndarray(tokens.slice(from, to), [1, to - from], 'int32');
      pieces = (await forward(params, ids, pieces)).state;
    }
    for (const { path, leaf } of treeLeaves<{ toHost(): Promise<NDArray> }>(pieces)) {
      const other = treeLeaves<{ toHost(): Promise<NDArray> }>(whole.state).find(
        (entry) => entry.path === path,
      )!;
      expect(await leaf.toHost()).toEqual(await other.leaf.toHost());
    }
    await engine.dispose();
  });
});
