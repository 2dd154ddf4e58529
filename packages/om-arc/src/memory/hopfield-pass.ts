import { tf } from '@palimpsest/tensor-core';
import { regionOf } from '../parameters.js';
import { groupNorm, groupProduct } from '../products.js';
import { attend, prepare, read } from './attention-stage.js';
import type { Keys } from './keys.js';
import type { PassContext, PassResult } from './pass-context.js';
import { enter, normQkv } from './pass-projection.js';
import { byRegion } from './regions.js';

/**
 * A Hopfield pass: hidden vectors that are repeatedly replaced by what they retrieve (Ramsauer et al. 2021). Keys and values
 * are computed once; the readme edition computes them anew in every iteration, with positions in the first only.
 */
export function runHopfield(
  context: PassContext,
  rows: tf.Tensor | undefined,
  earlier: readonly Keys[] | undefined,
  keysOnly: boolean,
): PassResult {
  const { plan, params, groups } = context;
  const { valueWidth: width, iterations, stages } = plan;
  // Where keys are computed anew, even rows that nobody reads are needed to the end.
  const inner = stages > 1 ? { ...context, unread: 0 } : context;
  const kept = groups.filter(({ region }) => inner.unread === 0 || region !== 'read');
  const pack = (hidden: tf.Tensor) =>
    byRegion(groups, hidden, (x, region) => {
      const weights = regionOf(params.projections, region);
      return normQkv(groupProduct(x, weights.qkv), weights, plan);
    });
  let stage = prepare(inner, pack(enter(context, rows, 'hidden')), earlier?.[0], true);
  const keys = [stage.fresh];
  if (keysOnly && stages === 1) return { keys };
  let hidden = read(attend(inner, stage, params.cope)[0]!, stage);
  for (let iteration = 1; iteration < iterations; iteration++) {
    if (stages > 1) {
      stage = prepare(inner, pack(hidden), earlier?.[iteration], false);
      keys.push(stage.fresh);
      hidden = read(attend(inner, stage, undefined)[0]!, stage);
      continue;
    }
    const query = byRegion(kept, hidden, (x, region) => {
      const weights = regionOf(params.projections, region);
      const product = groupProduct(x, tf.slice(weights.qkv, [0, 0, 0, 0], [-1, -1, -1, width]));
      return weights.queryNorm ? groupNorm(product, weights.queryNorm) : product;
    });
    stage = { ...stage, queries: [tf.mul(query, plan.scale)], plainQueries: [query] };
    hidden = read(attend(inner, stage, params.cope)[0]!, stage);
  }
  if (keysOnly) return { keys };
  const dropped = context.unread - inner.unread;
  const output = dropped === 0 ? hidden : tf.slice(hidden, [0, 0, dropped, 0], [-1, -1, -1, -1]);
  return { output, keys };
}
