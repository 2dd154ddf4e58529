import {
  type DeviceArray,
  type Engine,
  type NDArray,
  ndarray,
  Rng,
  type tf,
  treeLeaves,
  treeMap,
} from '@palimpsest/tensor-core';
import type { RsmOptions } from '../../src/config.js';
import type { RsmParams } from '../../src/parameters.js';
import { createRsmModel, type RsmModel } from '../../src/sequence-model.js';

/** Every causal wiring, and what a state has to keep for it. */
export const wirings: Readonly<Record<string, Partial<RsmOptions>>> = {
  parallel: { preset: 'parallel' },
  causal: { preset: 'causal' },
  'mean pooling': { preset: 'causal', useAttentionPooling: false },
  'shared memory': { preset: 'causal', memoryScope: 'shared' },
  'grouped memory': { preset: 'causal', memoryScope: 'grouped', layersPerMemory: 2 },
  'linear, shared, without identities': {
    preset: 'parallel',
    memoryScope: 'shared',
    slotIdentity: false,
  },
  'sliding window': { preset: 'parallel', slidingWindow: 3 },
  'rotary positions': { preset: 'parallel', positions: 'rotary' },
  'rotary positions, sliding window': { preset: 'causal', positions: 'rotary', slidingWindow: 3 },
  'narrow MLP': { preset: 'parallel', mlpWidth: 12 },
  sync: { preset: 'causal', useGlobalSync: true, syncCadence: 1 },
  'sync of every block': { preset: 'parallel', useGlobalSync: true, syncAllLayers: true, syncCadence: 2 },
};

export const small: RsmOptions = {
  vocabSize: 11,
  hiddenSize: 16,
  numLayers: 3,
  numHeads: 2,
  numMemorySlots: 3,
  windowSize: 5,
  dropout: 0,
};

export const smallModel = (options: Partial<RsmOptions>): RsmModel =>
  createRsmModel({ ...small, ...options });

/** Parameters of order one, so that every path matters. */
export function lively(model: RsmModel, seed = 1, scale = 0.25): RsmParams<NDArray> {
  const rng = Rng.fromSeed(seed);
  return treeMap<NDArray, NDArray>(model.init(rng), (leaf, path) => {
    if (/gain$/.test(path)) return rng.normalArray(leaf.shape, 1, 0.2);
    return rng.normalArray(leaf.shape, 0, /memoryInit|slotIdentity|tokenEmbedding/.test(path) ? 1 : scale);
  }) as RsmParams<NDArray>;
}

export function randomTokens(batch: number, time: number, vocabSize: number, seed = 2): NDArray {
  const rng = Rng.fromSeed(seed);
  return ndarray(
    Int32Array.from({ length: batch * time }, () => rng.int(vocabSize)),
    [batch, time],
    'int32',
  );
}

/** Columns [from, from + size) of [batch, time]. */
export function columns(tokens: NDArray, from: number, size: number): NDArray {
  const [batch, time] = tokens.shape as [number, number];
  const data = Int32Array.from({ length: batch * size }, (_, index) => {
    return tokens.data[Math.floor(index / size) * time + from + (index % size)]!;
  });
  return ndarray(data, [batch, size], 'int32');
}

/** Compiles, runs once, and gives the result on the host. */
export async function evaluate<Out>(
  engine: Engine,
  fn: (...args: never[]) => Out,
  ...args: unknown[]
): Promise<HostOf<Out>> {
  const compiled = engine.compile(fn as never, { name: 'test' }) as unknown as (
    ...args: unknown[]
  ) => Promise<unknown>;
  const host = await toHost(await compiled(...args));
  await (compiled as unknown as { dispose(): Promise<void> }).dispose();
  return host as HostOf<Out>;
}

export type HostOf<T> = T extends tf.Tensor
  ? NDArray
  : T extends object
    ? { [K in keyof T]: HostOf<T[K]> }
    : T;

export async function toHost(tree: unknown): Promise<unknown> {
  const host = new Map<string, NDArray>();
  for (const { path, leaf } of treeLeaves<DeviceArray>(tree)) {
    host.set(path, await leaf.toHost());
    leaf.dispose();
  }
  return treeMap<DeviceArray, NDArray>(tree, (_leaf, path) => host.get(path)!);
}

/** Largest difference, relative to the largest expected value if that is above 1. */
export function difference(actual: NDArray, expected: NDArray): number {
  if (actual.data.length !== expected.data.length) return Number.POSITIVE_INFINITY;
  let [worst, size] = [0, 1];
  for (let i = 0; i < expected.data.length; i++) {
    const off = Math.abs(actual.data[i]! - expected.data[i]!);
    worst = Number.isNaN(off) ? Number.POSITIVE_INFINITY : Math.max(worst, off);
    size = Math.max(size, Math.abs(expected.data[i]!));
  }
  return worst / size;
}

/** `difference` over all leaves of two trees. */
export function treeDifference(actual: unknown, expected: unknown): number {
  const other = new Map(treeLeaves<NDArray>(expected).map(({ path, leaf }) => [path, leaf]));
  return Math.max(
    ...treeLeaves<NDArray>(actual).map(({ path, leaf }) =>
      other.has(path) ? difference(leaf, other.get(path)!) : Number.POSITIVE_INFINITY,
    ),
  );
}
