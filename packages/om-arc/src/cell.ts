import { tf } from '@palimpsest/tensor-core';
import type { MemoryKeys } from './memory/keys.js';
import type { Frame } from './memory/pass-context.js';
import { runPasses } from './memory/passes.js';
import { projectRegions, type RowGroup } from './memory/regions.js';
import type { ArcParams } from './parameters.js';
import { lambdaInit } from './plan.js';
import { groupProduct, joinHeads } from './products.js';
import type { Setup } from './setup.js';

export interface CellResult {
  /** Of the token rows, `[l, batch, tokens, d]`. */
  readonly output?: tf.Tensor;
  /** What the write rows gather, before it becomes a state: `[l, batch, S, d]`. */
  readonly written?: tf.Tensor;
  /** Of the rows that were given. */
  readonly keys: MemoryKeys;
}

/**
 * The attentive recurrent cell over the groups of rows that are given, in the order [read, token, write] (DERIVATION.md,
 * "One function for all rows").
 * @param earlier keys of the rows that stand before them
 */
export function runCell(
  setup: Setup,
  params: ArcParams,
  groups: readonly RowGroup[],
  frame: Frame,
  earlier?: MemoryKeys,
): CellResult {
  const { heads, keys } = runPasses(setup, params, groups, frame, earlier);
  if (!heads) return { keys };
  const { config } = setup;
  const projected = params.inner ? projectRegions(groups, heads, params.inner) : heads;
  const rows = scaleDifferential(setup, frame, joinHeads(projected, config.numHeads));
  const kept = groups.filter(({ region }) => region !== 'read');
  const pieces =
    kept.length === 1
      ? [rows]
      : tf.split(
          rows,
          kept.map((group) => group.rows.shape[2]!),
          2,
        );
  const result: { output?: tf.Tensor; written?: tf.Tensor; keys: MemoryKeys } = { keys };
  kept.forEach(({ region }, i) => {
    if (region === 'token') result.output = groupProduct(pieces[i]!, params.output.token);
    else result.written = groupProduct(pieces[i]!, params.output.state);
  });
  return result;
}

/** The unstacked implementation scales the joined heads once, where the stacked one scales every pass. */
function scaleDifferential({ config }: Setup, { places }: Frame, rows: tf.Tensor): tf.Tensor {
  if (!config.diffAttn || config.stackedAttn) return rows;
  const shares = places.map(({ layer }) => 1 - lambdaInit(layer));
  return tf.mul(rows, tf.tensor4d(shares, [shares.length, 1, 1, 1]));
}
