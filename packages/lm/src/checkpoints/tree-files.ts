import {
  decodeSafetensors,
  encodeSafetensors,
  fromNDArray,
  InputError,
  type NDArray,
  toNDArray,
  treeLeaves,
  treeMap,
} from '@palimpsest/tensor-core';
import type { JsonValue } from '../sequence-model.js';

/** The structure of a tree without its arrays: each leaf is its own path. */
export function skeletonOf(tree: unknown): JsonValue {
  return treeMap<NDArray, string>(tree, (_leaf, path) => path) as JsonValue;
}

/** The arrays of a tree as a safetensors file, named by their paths. */
export function encodeTree(tree: unknown): Uint8Array {
  return encodeSafetensors(
    Object.fromEntries(treeLeaves<NDArray>(tree).map(({ path, leaf }) => [path, fromNDArray(leaf)])),
  );
}

/**
 * Puts a tree together again from its structure and its file.
 * @param source name of the file for messages.
 * @throws InputError when an array of the structure is missing.
 */
export function decodeTree(skeleton: unknown, bytes: Uint8Array, source: string): unknown {
  const { tensors } = decodeSafetensors(bytes, source);
  return treeMap<string, NDArray>(skeleton, (name) => {
    const tensor = tensors.get(name);
    if (!tensor) throw new InputError(`${source} has no tensor '${name}', which config.json names.`);
    return toNDArray(tensor, name);
  });
}
