import { DeviceArray, type NDArray, treeLeaves, treeMap } from '@palimpsest/tensor-core';

/** Whether a tree holds arrays of an engine, and not host arrays. */
export function isOnEngine(tree: unknown): boolean {
  return treeLeaves<unknown>(tree)[0]?.leaf instanceof DeviceArray;
}

/** Copies of the arrays of a tree, on the host. */
export async function copyToHost(tree: unknown): Promise<unknown> {
  const host = new Map<string, NDArray>();
  for (const { path, leaf } of treeLeaves<DeviceArray>(tree)) host.set(path, await leaf.toHost());
  return treeMap<DeviceArray, NDArray>(tree, (_leaf, path) => host.get(path)!);
}

/** Gives the arrays of a tree back to their engine. */
export function disposeTree(tree: unknown): void {
  for (const { leaf } of treeLeaves<DeviceArray>(tree)) leaf.dispose();
}
