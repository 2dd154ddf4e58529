import {
  type Compiled,
  crossEntropy,
  type Engine,
  type NDArray,
  ndarray,
  Rng,
  takeToHost,
  tf,
  treeLeaves,
  treeMap,
  valueAndGradient,
} from '@palimpsest/tensor-core';
import {
  createOsamModel,
  emptyState,
  type OsamModel,
  type OsamOptions,
  type OsamParams,
  type OsamState,
} from '../../src/index.js';

export type HostState = OsamState<NDArray>;

/** A model with parameters far from their symmetric start: open gates, odd gains, visible biases. */
export function randomModel(
  options: OsamOptions,
  seed = 1,
): { model: OsamModel; params: OsamParams<NDArray> } {
  const model = createOsamModel(options);
  const rng = Rng.fromSeed(seed);
  const params = treeMap<NDArray, NDArray, unknown>(model.init(rng), (leaf) =>
    ndarray(
      Float32Array.from(leaf.data, (value) => value + 0.2 * rng.normal()),
      leaf.shape,
    ),
  ) as OsamParams<NDArray>;
  return { model, params };
}

export function randomTokens(batch: number, time: number, vocabSize: number, seed = 7): NDArray<'int32'> {
  const rng = Rng.fromSeed(seed);
  return ndarray(
    Int32Array.from({ length: batch * time }, () => rng.int(vocabSize)),
    [batch, time],
    'int32',
  );
}

export const toHost = async <T>(tree: unknown): Promise<T> => (await takeToHost(tree)) as T;

export interface RunResult {
  readonly logits: Float32Array;
  readonly state: HostState;
}

export function zeroState(model: OsamModel, batch: number): HostState {
  return emptyState(model.options, model.plans, batch);
}

/** Runs tokens through `forward`, in pieces of the given sizes. */
export async function runPieces(
  engine: Engine,
  model: OsamModel,
  params: OsamParams<NDArray>,
  tokens: NDArray,
  sizes: readonly number[],
  from: HostState = zeroState(model, tokens.shape[0]!),
  useStep = false,
): Promise<RunResult> {
  const forward = engine.compile((p: OsamParams, x: tf.Tensor2D, s: OsamState) => {
    if (useStep && x.shape[1] === 1) {
      const result = model.step(p, tf.reshape(x, [-1]) as tf.Tensor1D, s);
      return { logits: tf.expandDims(result.logits, 1) as tf.Tensor, state: result.state };
    }
    const { logits, state } = model.forward(p, x, s, { training: false });
    return { logits: logits as tf.Tensor, state };
  });
  const [batch, time] = tokens.shape as [number, number];
  const width = model.vocabSize;
  const all = new Float32Array(batch * time * width);
  let state = from;
  let at = 0;
  for (const size of sizes) {
    const x = ndarray(
      Int32Array.from(
        { length: batch * size },
        (_, i) => tokens.data[Math.floor(i / size) * time + at + (i % size)]!,
      ),
      [batch, size],
      'int32',
    );
    const result = await toHost<{ logits: NDArray; state: HostState }>(
      await forward(params as never, x as never, state as never),
    );
    for (let row = 0; row < batch; row++) {
      const rows = result.logits.data.subarray(row * size * width, (row + 1) * size * width) as Float32Array;
      all.set(rows, (row * time + at) * width);
    }
    state = result.state;
    at += size;
  }
  await forward.dispose();
  return { logits: all, state };
}

/** Loss and gradients of next-token prediction on random targets; parameters without gradient are missing. */
export async function runGradients(
  engine: Engine,
  model: OsamModel,
  params: OsamParams<NDArray>,
  tokens: NDArray,
  from: HostState = zeroState(model, tokens.shape[0]!),
): Promise<{ loss: number; gradients: Map<string, Float32Array> }> {
  const [batch, time] = tokens.shape as [number, number];
  const labels = randomTokens(batch, time, model.vocabSize, 99);
  const gradient = engine.compile((p: OsamParams, x: tf.Tensor2D, y: tf.Tensor, s: OsamState) => {
    const { value, gradients } = valueAndGradient((q: OsamParams) => {
      const { logits } = model.forward(q, x, s, { training: false });
      return crossEntropy(tf.reshape(logits, [-1, model.vocabSize]), tf.reshape(y, [-1]));
    }, p);
    return { loss: value as tf.Tensor, gradients: gradients as unknown as OsamParams };
  }) as unknown as Compiled<unknown[], unknown>;
  const result = await toHost<{ loss: NDArray; gradients: unknown }>(
    await gradient(params as never, tokens as never, labels as never, from as never),
  );
  await gradient.dispose();
  return {
    loss: result.loss.data[0]!,
    gradients: new Map(
      treeLeaves<NDArray>(result.gradients).map(({ path, leaf }) => [path, leaf.data as Float32Array]),
    ),
  };
}

export function maxDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) return Number.POSITIVE_INFINITY;
  let worst = 0;
  for (let i = 0; i < a.length; i++) worst = Math.max(worst, Math.abs(a[i]! - b[i]!));
  return worst;
}

/** Largest difference of two states, leaf by leaf. */
export function stateDifference(a: HostState, b: HostState): number {
  const right = new Map(treeLeaves<NDArray>(b).map(({ path, leaf }) => [path, leaf]));
  return Math.max(
    ...treeLeaves<NDArray>(a).map(({ path, leaf }) =>
      maxDifference(leaf.data, right.get(path)?.data ?? new Float32Array(0)),
    ),
  );
}
