import type { DeviceArray } from '@palimpsest/tensor-core';
import {
  createEngine,
  type Engine,
  type NDArray,
  ndarray,
  Rng,
  type tf,
  treeLeaves,
} from '@palimpsest/tensor-core';
import {
  createTransformer,
  type Transformer,
  type TransformerOptions,
  type TransformerParameters,
} from '../src/index.js';

export const engines = ['cpu', 'onnx'] as const;

export async function withEngine<T>(
  name: (typeof engines)[number],
  body: (engine: Engine) => Promise<T>,
): Promise<T> {
  const engine = await createEngine(name, name === 'onnx' ? { threads: 1 } : {});
  try {
    return await body(engine);
  } finally {
    await engine.dispose();
  }
}

export const tiny: TransformerOptions = { vocabSize: 23, layers: 2, heads: 4, modelWidth: 16, context: 12 };

/** A model with weights large enough that attention is far from uniform. */
export function livelyModel(options: Partial<TransformerOptions> = {}, seed = 3) {
  const model = createTransformer({ ...tiny, ...options });
  const rng = Rng.fromSeed(seed);
  const fresh = model.init(rng) as TransformerParameters<NDArray>;
  for (const { path, leaf } of treeLeaves<NDArray>(fresh)) {
    const data = leaf.data as Float32Array;
    const isGain = path.endsWith('gain');
    for (let i = 0; i < data.length; i++) data[i] = (isGain ? 1 : 0) + (isGain ? 0.2 : 0.35) * rng.normal();
  }
  return { model, params: fresh };
}

export function randomTokens(
  batch: number,
  time: number,
  seed = 11,
  vocabulary = tiny.vocabSize,
): NDArray<'int32'> {
  const rng = Rng.fromSeed(seed);
  return ndarray(
    Int32Array.from({ length: batch * time }, () => rng.int(vocabulary)),
    [batch, time],
    'int32',
  );
}

/** Values of every leaf of a tree, by path. */
export async function read(tree: unknown): Promise<Record<string, Float32Array>> {
  const result: Record<string, Float32Array> = {};
  for (const { path, leaf } of treeLeaves<DeviceArray>(tree))
    result[path] = (await leaf.data()) as Float32Array;
  return result;
}

/** A host array where the type of a compiled function's argument wants a tensor. */
export const asTensor = (array: NDArray) => array as unknown as tf.Tensor2D;

export const columnsOf = (tokens: NDArray, from: number, to: number): NDArray<'int32'> => {
  const [batch, time] = tokens.shape as [number, number];
  const values = Array.from({ length: batch }, (_, row) => [
    ...tokens.data.slice(row * time + from, row * time + to),
  ]);
  return ndarray(values.flat(), [batch, to - from], 'int32');
};

export function maxDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) throw new Error(`${a.length} values against ${b.length}`);
  let largest = 0;
  for (let i = 0; i < a.length; i++) {
    const difference = Math.abs(a[i]! - b[i]!);
    largest = Number.isNaN(difference) ? Number.POSITIVE_INFINITY : Math.max(largest, difference);
  }
  return largest;
}

/** Logits of a whole text in one call, `[batch · time · vocabulary]`. */
export async function forwardLogits(engine: Engine, model: Transformer, params: unknown, tokens: NDArray) {
  const forward = engine.compile((weights: TransformerParameters, ids: tf.Tensor2D) => {
    const state = model.initState(weights, ids.shape[0]);
    return model.forward(weights, ids, state, { training: false }).logits;
  });
  return read(await forward(params as never, tokens)).then((values) => values['']!);
}

/** Logits of a text given in pieces, put together as in `forwardLogits`, and the state at the end. */
export async function piecewiseLogits(
  engine: Engine,
  model: Transformer,
  params: unknown,
  tokens: NDArray,
  lengths: readonly number[],
) {
  const [batch, time] = tokens.shape as [number, number];
  const start = engine.compile((weights: TransformerParameters) => model.initState(weights, batch));
  const forward = engine.compile((weights: TransformerParameters, ids: tf.Tensor2D, state: never) => {
    return model.forward(weights, ids, state, { training: false });
  });
  let state: unknown = await start(params as never);
  const logits = new Float32Array(batch * time * model.vocabSize);
  let from = 0;
  for (const length of lengths) {
    const piece = columnsOf(tokens, from, from + length);
    const result = await forward(params as never, piece, state as never);
    const values = (await result.logits.data()) as Float32Array;
    const width = length * model.vocabSize;
    for (let row = 0; row < batch; row++) {
      logits.set(values.subarray(row * width, (row + 1) * width), (row * time + from) * model.vocabSize);
    }
    state = result.state;
    from += length;
  }
  return { logits, state };
}

/** The same, token by token through `step`. */
export async function steppedLogits(
  engine: Engine,
  model: Transformer,
  params: unknown,
  tokens: NDArray,
  from = 0,
  start?: unknown,
) {
  const [batch, time] = tokens.shape as [number, number];
  const init = engine.compile((weights: TransformerParameters) => model.initState(weights, batch));
  const step = engine.compile((weights: TransformerParameters, id: tf.Tensor1D, state: never) =>
    model.step(weights, id, state),
  );
  let state: unknown = start ?? (await init(params as never));
  const logits = new Float32Array(batch * time * model.vocabSize);
  for (let t = from; t < time; t++) {
    const column = columnsOf(tokens, t, t + 1);
    const result = await step(params as never, ndarray(column.data, [batch], 'int32'), state as never);
    const values = (await result.logits.data()) as Float32Array;
    for (let row = 0; row < batch; row++) {
      logits.set(
        values.subarray(row * model.vocabSize, (row + 1) * model.vocabSize),
        (row * time + t) * model.vocabSize,
      );
    }
    state = result.state;
  }
  return { logits, state, signatures: step.signatures };
}
