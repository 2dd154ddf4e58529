import {
  createEngine,
  type DeviceArray,
  type NDArray,
  Rng,
  runOnce,
  sizeOf,
  treeLeaves,
} from '@palimpsest/tensor-core';
import type { AnySequenceModel } from './sequence-model.js';

/** More layers than this are those of a damaged file or a slip, and would be counted for hours. */
export const MOST_LAYERS = 10_000;

/** Number of scalars in a parameter tree, on the host or on an engine. */
export function countParameters(params: unknown): number {
  return treeLeaves<{ readonly shape: readonly number[] }>(params).reduce(
    (total, { leaf }) => total + sizeOf(leaf.shape),
    0,
  );
}

/** Bytes of the arrays of a tree as engines hold them: 4 per float32 or int32 element, 1 per bool. */
export function treeBytes(tree: unknown): number {
  return treeLeaves<NDArray | DeviceArray>(tree).reduce(
    (total, { leaf }) => total + sizeOf(leaf.shape) * (leaf.dtype === 'bool' ? 1 : 4),
    0,
  );
}

/**
 * Bytes of the memory state for `batch` texts: what a model carries from token to token, however many it has read.
 * @param params the model's parameters, when they are at hand; otherwise the model's own fresh ones give the shapes.
 */
export async function stateBytes(model: AnySequenceModel, batch = 1, params?: unknown): Promise<number> {
  const engine = await createEngine('cpu');
  try {
    const initState = (tree: unknown) => model.initState(tree, batch);
    return treeBytes(await runOnce(engine, initState, params ?? model.init(Rng.fromSeed(0))));
  } finally {
    await engine.dispose();
  }
}
