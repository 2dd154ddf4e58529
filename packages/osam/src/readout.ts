import { dropoutWithMask, gelu, layerNorm, linear, tf } from '@palimpsest/tensor-core';
import type { OsamConfig } from './config.js';
import type { DropoutSite, DropoutSource } from './dropout-source.js';
import type { ReadSchedule } from './memory/read-schedule.js';
import type { LinearParams, NormParams } from './parameters.js';

/** How a run of tokens turns reads of the memory into contributions to the residual. */
export interface ReadoutContext {
  readonly config: OsamConfig;
  readonly batch: number;
  readonly time: number;
  /** Which tokens read; absent when none does. */
  readonly schedule: ReadSchedule | undefined;
  readonly dropout: DropoutSource | undefined;
}

export interface Readout {
  /** [batch, time, d]. */
  readonly read: tf.Tensor;
  /** The last one, [batch, d]. */
  readonly last: tf.Tensor;
}

function lastOf(rows: tf.Tensor): tf.Tensor {
  const [batch, time, width] = rows.shape as [number, number, number];
  return tf.reshape(tf.slice(rows, [0, time - 1, 0], [-1, 1, -1]), [batch, width]);
}

function heldRead(held: tf.Tensor, { batch, time }: ReadoutContext): Readout {
  return { read: tf.broadcastTo(tf.expandDims(held, 1), [batch, time, held.shape[1]!]), last: held };
}

/**
 * h_feat = W_2 drop(gelu(W_1 psi + b_1)) + b_2 (DERIVATION.md, "The block"). Tokens that do not read get the read-out of psi = 0, or
 * with `skipMode: 'hold'` the last one.
 * @param projected W_1 psi of the reading tokens, [batch, reads, hidden].
 */
export function featureReadout(
  projected: tf.Tensor | undefined,
  params: { hidden: LinearParams<tf.Tensor>; output: LinearParams<tf.Tensor> },
  held: tf.Tensor | undefined,
  context: ReadoutContext,
): Readout {
  const { config, schedule } = context;
  const holds = config.skipMode === 'hold' && held !== undefined;
  if (!schedule && holds) return heldRead(held, context);
  const output = (x: tf.Tensor) => linear(x, params.output.weight, params.output.bias);
  const resting = tf.reshape(gelu(params.hidden.bias), [1, 1, -1]);
  const hidden = projected && gelu(tf.add(projected, params.hidden.bias));
  if (schedule && hidden && holds) {
    const rows = output(dropped(hidden, 'readout', context, true));
    const read = schedule.hold(rows, held);
    return { read, last: lastOf(read) };
  }
  const read = restingReadout(hidden, resting, output, context);
  return { read, last: lastOf(read) };
}

/** Read-outs where tokens that do not read see psi = 0. */
function restingReadout(
  hidden: tf.Tensor | undefined,
  resting: tf.Tensor,
  output: (x: tf.Tensor) => tf.Tensor,
  context: ReadoutContext,
): tf.Tensor {
  const { batch, time, schedule } = context;
  const everywhere = (x: tf.Tensor) => tf.broadcastTo(x, [batch, time, x.shape[2]!]);
  // Dropout falls on every token's hidden units anew; without it the read-out of psi = 0 is one constant row.
  if (context.dropout) {
    const all = schedule && hidden ? schedule.spread(hidden, resting) : everywhere(resting);
    return output(dropped(all, 'readout', context, false));
  }
  if (!schedule || !hidden) return everywhere(output(resting));
  return schedule.every === 1 ? output(hidden) : schedule.spread(output(hidden), output(resting));
}

function dropped(
  x: tf.Tensor,
  site: Exclude<DropoutSite, 'mlp'>,
  { batch, time, schedule, dropout, config }: ReadoutContext,
  selected: boolean,
): tf.Tensor {
  if (!dropout) return x;
  const keep = dropout.keep(site, [batch, time, x.shape[2]!]);
  return dropoutWithMask(x, selected && schedule ? schedule.select(keep) : keep, config.dropout);
}

export interface ValueProjection {
  readonly norm: NormParams<tf.Tensor>;
  readonly hidden: LinearParams<tf.Tensor>;
  readonly output: LinearParams<tf.Tensor>;
}

/**
 * vread = P_2 drop(gelu(P_1 LN(raw) + p_1)) + p_2 (DERIVATION.md, "The block"), exactly 0 for tokens that do not read, or with
 * `skipMode: 'hold'` the last one. Several heads are normalised one by one.
 * @param raw [batch, reads, d].
 */
export function valueReadout(
  raw: tf.Tensor | undefined,
  params: ValueProjection,
  held: tf.Tensor | undefined,
  context: ReadoutContext,
): Readout {
  const { batch, time, schedule, config } = context;
  const holds = config.skipMode === 'hold' && held !== undefined;
  const nothing = () => tf.zeros([batch, time, config.dModel]);
  if (!schedule || !raw) {
    if (holds) return heldRead(held, context);
    return { read: nothing(), last: tf.zeros([batch, config.dModel]) };
  }
  const normal = normalizeHeads(raw, params.norm, config.heads);
  const hidden = gelu(linear(normal, params.hidden.weight, params.hidden.bias));
  const rows = linear(dropped(hidden, 'value', context, true), params.output.weight, params.output.bias);
  const read = holds ? schedule.hold(rows, held) : schedule.spread(rows, tf.zeros([1, 1, config.dModel]));
  return { read, last: lastOf(read) };
}

function normalizeHeads(raw: tf.Tensor, { gain, bias }: NormParams<tf.Tensor>, heads: number): tf.Tensor {
  if (heads === 1) return layerNorm(raw, gain, bias);
  const [batch, reads, width] = raw.shape as [number, number, number];
  const depth = width / heads;
  const parts = tf.reshape(raw, [batch, reads, heads, depth]);
  const normal = layerNorm(parts, tf.ones([depth]), tf.zeros([depth]));
  return tf.add(tf.mul(tf.reshape(normal, [batch, reads, width]), gain), bias);
}
