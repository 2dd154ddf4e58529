import type { tf } from '@palimpsest/tensor-core';
import { type ArcParams, regionOf } from '../parameters.js';
import { groupProduct } from '../products.js';
import type { Setup } from '../setup.js';
import { attend, prepare, read } from './attention-stage.js';
import { readDifference } from './differential-attention.js';
import { runHopfield } from './hopfield-pass.js';
import type { Keys, MemoryKeys } from './keys.js';
import type { Frame, PassContext, PassResult } from './pass-context.js';
import { enter } from './pass-projection.js';
import { byRegion, type RowGroup } from './regions.js';

export interface MemoryResult {
  /** Of the rows that are not read rows, after the last pass: `[l·H, batch, rows, width]`. Absent when all are. */
  readonly heads?: tf.Tensor;
  /** Of the new rows. */
  readonly keys: MemoryKeys;
}

/**
 * The passes of the memory over the rows of [read | tokens | write] that are given, in this order: the rows of a whole
 * segment, the read rows alone, some tokens after others, the write rows at the end. What stands before them comes as the
 * keys that it left, so that all of these are one function.
 * @param params of the layers in `frame.places`, stacked
 * @param earlier keys of the rows before; absent when there are none
 */
export function runPasses(
  setup: Setup,
  params: ArcParams,
  groups: readonly RowGroup[],
  frame: Frame,
  earlier?: MemoryKeys,
): MemoryResult {
  const readRows =
    groups.filter(({ region }) => region === 'read').length > 0 ? groups[0]!.rows.shape[2]! : 0;
  const isReadOnly = groups.every(({ region }) => region === 'read');
  const keys: (readonly Keys[])[] = [];
  let rows: tf.Tensor | undefined;
  for (const plan of setup.plans) {
    const pass = params.passes[plan.index]!;
    const unread = plan.isLast && !isReadOnly ? readRows : 0;
    const context = { setup, plan, params: pass, groups, frame, unread };
    const result = runPass(context, rows, earlier?.[plan.index], isReadOnly && plan.isLast);
    keys.push(result.keys);
    if (!result.output) return { keys };
    rows = pass.mix
      ? byRegion(groups, result.output, (x, region) => groupProduct(x, regionOf(pass.mix!, region)))
      : result.output;
  }
  return { heads: rows!, keys };
}

function runPass(
  context: PassContext,
  rows: tf.Tensor | undefined,
  earlier: readonly Keys[] | undefined,
  keysOnly: boolean,
): PassResult {
  if (context.plan.kind === 'hopfield') return runHopfield(context, rows, earlier, keysOnly);
  const packed = enter(context, rows, 'qkv');
  const { plan, params } = context;
  const stage = prepare(context, packed, earlier?.[0], true);
  if (keysOnly) return { keys: [stage.fresh] };
  const probabilities = attend(context, stage, params.cope);
  if (plan.kind === 'ordinary') return { output: read(probabilities[0]!, stage), keys: [stage.fresh] };
  return { output: readDifference(context, probabilities, stage), keys: [stage.fresh] };
}
