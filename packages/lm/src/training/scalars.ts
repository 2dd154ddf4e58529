import { type DeviceArray, treeLeaves } from '@palimpsest/tensor-core';

/** Reads scalars by path and gives their memory back. */
export async function numbers(tree: unknown): Promise<Record<string, number>> {
  const values: Record<string, number> = {};
  for (const { path, leaf } of treeLeaves<DeviceArray>(tree)) values[path] = await takeNumber(leaf);
  return values;
}

/** Reads a scalar and gives its memory back. */
export async function takeNumber(array: DeviceArray): Promise<number> {
  const value = await array.item();
  array.dispose();
  return value;
}
