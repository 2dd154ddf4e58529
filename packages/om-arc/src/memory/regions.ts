import { tf } from '@palimpsest/tensor-core';
import { type Regions, regionOf } from '../parameters.js';
import { groupProduct } from '../products.js';

export type Region = 'read' | 'token' | 'write';

/** Rows of one region that enter the memory, `[l, batch, count, d]`. */
export interface RowGroup {
  readonly region: Region;
  readonly rows: tf.Tensor;
}

/** Applies a map of its own to every region of rows along axis 2. */
export function byRegion(
  groups: readonly RowGroup[],
  x: tf.Tensor,
  map: (rows: tf.Tensor, region: Region) => tf.Tensor,
): tf.Tensor {
  if (groups.length === 1) return map(x, groups[0]!.region);
  const pieces = tf.split(
    x,
    groups.map(({ rows }) => rows.shape[2]!),
    2,
  );
  return tf.concat(
    pieces.map((piece, i) => map(piece, groups[i]!.region)),
    2,
  );
}

/** Inner projection per region, of rows that are no read rows. */
export function projectRegions(
  groups: readonly RowGroup[],
  heads: tf.Tensor,
  weights: Regions<tf.Tensor>,
): tf.Tensor {
  const kept = groups.filter(({ region }) => region !== 'read');
  return byRegion(kept, heads, (x, region) => groupProduct(x, regionOf(weights, region)));
}
