import { type NDArray, treeLeaves } from '@palimpsest/tensor-core';

/**
 * Path of the first array of a tree on the host that holds NaN or an infinity, as in `params.blocks.0.query.weight`;
 * `undefined` when every number is finite. A checkpoint that holds one can neither go on nor speak.
 */
export function firstNonFinite(tree: unknown): string | undefined {
  return treeLeaves<NDArray>(tree).find(({ leaf }) => !isFiniteArray(leaf))?.path;
}

function isFiniteArray({ data, dtype }: NDArray): boolean {
  // x - x is 0 for every finite x and NaN for all others, so one sum answers for the whole array.
  if (dtype !== 'float32') return true;
  let sum = 0;
  for (let i = 0; i < data.length; i++) sum += data[i]! - data[i]!;
  return sum === 0;
}
