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

/**
 * The arrays of a tree as a safetensors file, named by their paths.
 * @param storage keeps numbers in 16 bits. Default: all 32
 */
export function encodeTree(tree: unknown, storage?: 'F16'): Uint8Array {
  return encodeSafetensors(
    Object.fromEntries(treeLeaves<NDArray>(tree).map(({ path, leaf }) => [path, fromNDArray(leaf, storage)])),
  );
}

/**
 * Puts a tree together again from its structure and its file.
 * @param source name of the file for messages.
 * @throws InputError when an array of the structure is missing, or the file holds others.
 */
export function decodeTree(skeleton: unknown, bytes: Uint8Array, source: string): unknown {
  const { tensors, unread } = decodeSafetensors(bytes, source);
  let used = 0;
  const tree = treeMap<unknown, NDArray>(skeleton, (name, path) => {
    if (name !== path) {
      throw new InputError(
        `config.json beside ${source} names the tensor ${JSON.stringify(name)} at '${path}', where its own path is expected.`,
      );
    }
    const tensor = tensors.get(path);
    const dtype = unread.get(path);
    if (dtype !== undefined)
      throw new InputError(`${source}: '${path}' has dtype ${dtype}, which is not read.`);
    if (!tensor) throw new InputError(`${source} has no tensor '${path}', which config.json names.`);
    used += 1;
    return toNDArray(tensor, path);
  });
  if (used < tensors.size + unread.size) {
    throw new InputError(
      `${source} has ${tensors.size + unread.size} tensors, but config.json names ${used} of them.`,
    );
  }
  return tree;
}
