import { type DeviceArray, type NDArray, treeLeaves, treeMap } from '@palimpsest/tensor-core';

/** Says whether a tree holds arrays of an engine, and not host arrays. */
export function onDevice(tree: unknown): boolean {
  const [first] = treeLeaves<object>(tree);
  return first !== undefined && 'dispose' in first.leaf;
}

/** Disposes every device array of a tree; host arrays are left alone. */
export function disposeTree(tree: unknown): void {
  for (const { leaf } of treeLeaves<Partial<DeviceArray>>(tree)) leaf.dispose?.();
}

/** Copies a tree of device arrays to the host. */
export async function hostTree(tree: unknown): Promise<unknown> {
  const host = new Map<string, NDArray>();
  for (const { path, leaf } of treeLeaves<DeviceArray>(tree)) host.set(path, await leaf.toHost());
  return treeMap<DeviceArray, NDArray>(tree, (_leaf, path) => host.get(path)!);
}
