import { DeviceArray, type MapLeaves, type NDArray, treeLeaves, treeMap } from '@palimpsest/tensor-core';

/** Copies every array of a tree from an engine to the host and disposes of it there. */
export async function takeToHost<T>(tree: T): Promise<MapLeaves<T, DeviceArray, NDArray>> {
  const copies = new Map<string, NDArray>();
  for (const { path, leaf } of treeLeaves<DeviceArray | NDArray>(tree)) {
    if (!(leaf instanceof DeviceArray)) {
      copies.set(path, leaf);
      continue;
    }
    copies.set(path, await leaf.toHost());
    leaf.dispose();
  }
  return treeMap<DeviceArray, NDArray, T>(tree, (_leaf, path) => copies.get(path)!);
}

/** Disposes of every array of a tree. */
export function disposeAll(tree: unknown): void {
  for (const { leaf } of treeLeaves<DeviceArray>(tree)) leaf.dispose();
}
