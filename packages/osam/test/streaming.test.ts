import { stateBytes } from '@palimpsest/lm';
import { createEngine, type NDArray, treeMap } from '@palimpsest/tensor-core';
import { describe, expect, it } from 'vitest';
import {
  compactState,
  createOsamModel,
  expandState,
  type OsamOptions,
  presets,
  stateBytesOf,
} from '../src/index.js';
import {
  type HostState,
  maxDifference,
  randomModel,
  randomTokens,
  runPieces,
  stateDifference,
  zeroState,
} from './support/models.js';

const small = { vocabSize: 9, dModel: 8, sketchDim: 20, readoutHidden: 6, chunk: 5 };

const streams: Record<string, OsamOptions> = {
  reference: { ...small, mode: 'parity' },
  'reference, skipping': { ...small, mode: 'parity', kUpdate: 3, freqCache: true },
  improved: small,
  'improved, without rotation by the position': { ...small, omegaMode: 'none', embeddingInitStd: 0.3 },
  'improved, holding and forgetting': { ...small, kUpdate: 4, decay: 0.93 },
  'stack with pre-norm, heads, convolution and gated MLP': {
    ...small,
    layers: 2,
    valueOnlyBlocks: [1],
    heads: 4,
    headDecays: [1, 0.99, 0.9, 0.7],
    readScale: 'effective',
    norm: 'pre',
    convWidth: 4,
    mlpRatio: 2,
    tieEmbeddings: true,
    writeGate: true,
  },
  'post-norm stack with convolution and gelu MLP': {
    ...small,
    layers: 2,
    convWidth: 3,
    mlpRatio: 1.5,
    mlpKind: 'gelu',
    kUpdate: 2,
  },
};

describe('reading in pieces', async () => {
  const engine = await createEngine('cpu');
  for (const [name, options] of Object.entries(streams)) {
    it(`equals reading at once: ${name}`, async () => {
      const { model, params } = randomModel(options);
      const tokens = randomTokens(2, 41, options.vocabSize);
      const whole = await runPieces(engine, model, params, tokens, [41]);
      for (const sizes of [[7, 1, 12, 3, 18], [1, 40], new Array<number>(41).fill(1)]) {
        const pieces = await runPieces(engine, model, params, tokens, sizes, undefined, true);
        expect(maxDifference(pieces.logits, whole.logits)).toBeLessThan(2e-5);
        expect(stateDifference(pieces.state, whole.state)).toBeLessThan(5e-5);
      }
    });
  }

  it('keeps rows apart that stand at different positions', async () => {
    const { model, params } = randomModel({ ...small, kUpdate: 3 });
    const tokens = randomTokens(1, 20, small.vocabSize);
    const early = await runPieces(engine, model, params, slice(tokens, 0, 4), [4]);
    const late = await runPieces(engine, model, params, slice(tokens, 0, 11), [11]);
    const joined = treeMap<NDArray, NDArray, HostState>(early.state, (leaf, path) => {
      const other = find(late.state, path);
      const Typed = leaf.data.constructor as Float32ArrayConstructor;
      return {
        data: Typed.from([...leaf.data, ...other.data]),
        shape: [2, ...leaf.shape.slice(1)],
        dtype: leaf.dtype,
      } as NDArray;
    }) as HostState;
    const next = [slice(tokens, 4, 9), slice(tokens, 11, 9)];
    const both = { ...next[0]!, shape: [2, 9], data: Int32Array.from([...next[0]!.data, ...next[1]!.data]) };
    const together = await runPieces(engine, model, params, both as NDArray, [9], joined);
    const alone = await runPieces(engine, model, params, next[0]!, [9], early.state);
    const other = await runPieces(engine, model, params, next[1]!, [9], late.state);
    expect(maxDifference(together.logits, [...alone.logits, ...other.logits])).toBeLessThan(1e-5);
  });

  it('matches one long run of 2048 tokens in uneven pieces', async () => {
    const { model, params } = randomModel({ ...small, mode: 'parity', chunk: 64 });
    const onnx = await createEngine('onnx');
    const tokens = randomTokens(1, 2048, small.vocabSize);
    const whole = await runPieces(onnx, model, params, tokens, [2048]);
    const pieces = await runPieces(onnx, model, params, tokens, [77, 1, 500, 64, 1406]);
    expect(maxDifference(pieces.logits, whole.logits)).toBeLessThan(2e-5);
    await onnx.dispose();
  });
});

describe('the state', async () => {
  const engine = await createEngine('cpu');

  it('survives JSON and continues the same text', async () => {
    const { model, params } = randomModel(small);
    const tokens = randomTokens(1, 20, small.vocabSize);
    const first = await runPieces(engine, model, params, slice(tokens, 0, 12), [12]);
    const text = JSON.stringify(
      treeMap(first.state, (leaf: NDArray) => ({ ...leaf, data: [...leaf.data], shape: leaf.shape })),
    );
    const restored = treeMap(
      JSON.parse(text),
      (leaf: { data: number[]; shape: number[]; dtype: string }) => ({
        data: leaf.dtype === 'int32' ? Int32Array.from(leaf.data) : Float32Array.from(leaf.data),
        shape: leaf.shape,
        dtype: leaf.dtype,
      }),
    ) as HostState;
    const expected = await runPieces(engine, model, params, slice(tokens, 12, 8), [8], first.state);
    const actual = await runPieces(engine, model, params, slice(tokens, 12, 8), [8], restored);
    expect(actual.logits).toEqual(expected.logits);
  });

  it('goes to the reference layout and back unchanged, and refuses foreign buckets', async () => {
    const { model, params } = randomModel({ ...small, mode: 'parity' });
    const { state } = await runPieces(engine, model, params, randomTokens(2, 9, small.vocabSize), [9]);
    const plan = model.plans[0]!;
    const dense = expandState(state.blocks[0]!, model.options, plan);
    expect(dense.K!.shape).toEqual([2, 2, 20]);
    expect(dense.H!.shape).toEqual([2, 2, 8, 20]);
    const back = compactState(dense, model.options, plan);
    expect(back.keySum!.data).toEqual(state.blocks[0]!.keySum!.data);
    expect(back.valueMemory!.data).toEqual(state.blocks[0]!.valueMemory!.data);
    const unused = [...Array(20).keys()].find((bucket) => !plan.key.used.includes(bucket))!;
    dense.K!.data[unused] = 0.5;
    expect(() => compactState(dense, model.options, plan)).toThrow(`0.5 in bucket ${unused}`);
  });

  it('is 2u(d + 1) floats in the reference mode, whatever the text, and as large as the arrays say', async () => {
    const model = createOsamModel({ vocabSize: 17, dModel: 64, sketchDim: 2048, mode: 'parity' });
    const used = model.plans[0]!.key.used.length;
    expect(used).toBe(63);
    expect(stateBytesOf(model.options, model.plans)).toBe(4 * (2 * used * 65 + 1));
    for (const options of [
      presets.text({ vocabSize: 65 }),
      presets.improved({ vocabSize: 65, kUpdate: 2 }),
    ]) {
      const built = createOsamModel(options);
      expect(await stateBytes(built, 3)).toBe(stateBytesOf(built.options, built.plans, 3));
    }
    const improved = createOsamModel({ vocabSize: 17, dModel: 12, sketchDim: 32 });
    const u = improved.plans[0]!.key.used.length;
    expect(stateBytesOf(improved.options, improved.plans)).toBe(4 * (2 * u + 2 * 12 * 12 + 12 + 1));
  });

  it('does not grow: the state after 4 and after 400 tokens has the same shapes', async () => {
    const { model, params } = randomModel(small);
    const shapes = async (time: number) => {
      const { state } = await runPieces(engine, model, params, randomTokens(1, time, 9), [time]);
      return treeMap(state, (leaf: NDArray) => leaf.shape.join());
    };
    expect(await shapes(400)).toEqual(await shapes(4));
    expect(zeroState(model, 1).position.data[0]).toBe(0);
  });
});

function slice(tokens: NDArray, from: number, size: number): NDArray<'int32'> {
  return { data: tokens.data.slice(from, from + size) as Int32Array, shape: [1, size], dtype: 'int32' };
}

function find(tree: unknown, path: string): NDArray {
  return path
    .split('.')
    .reduce((node, key) => (node as Record<string, unknown>)[key], tree as unknown) as NDArray;
}
