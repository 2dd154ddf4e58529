import {
  addMatrixLinear,
  applyRotary,
  gelu,
  geluTanh,
  layerNorm,
  type Matrix,
  matrixLinear,
  rmsNorm,
  swiGlu,
  tf,
} from '@palimpsest/tensor-core';
import { type AttentionResult, attend, attendBeside, attendByHead } from './attention.js';
import type { LayerCache } from './cache.js';
import type { TransformerConfig } from './config.js';
import { lowRankUpdate } from './lora/low-rank-update.js';
import type { Affine, BlockParameters, Norm } from './parameters.js';
import type { Angles } from './position-angles.js';
import type { SlotPlan } from './slot-plan.js';

/** Keys and values that every query of a layer sees before all others, `[batch, keyValueHeads, count, headWidth]`. */
export interface KeyValuePrefix {
  /** As in the cache: already rotated. */
  readonly keys: tf.Tensor;
  readonly values: tf.Tensor;
}

/** How a block goes over the rows of texts without their padding, and which of them go on behind its attention. */
export interface RowSelection {
  /** Heads of rows, `[rows, heads · headWidth]`, at their places among texts with padding: `[batch, heads, time, headWidth]`. */
  spread(rows: tf.Tensor): tf.Tensor;
  /** The rows that go on, `[kept, heads · headWidth]`, of what every head read: `[batch, heads, queries, headWidth]`. */
  collect(read: tf.Tensor): tf.Tensor;
  /** Those that go on; absent when all rows do. */
  readonly kept?: {
    /** `[rows, width]` to `[kept, width]` */
    rows(x: tf.Tensor): tf.Tensor;
    /** Their queries, or their rows of a mask: `[…, time, width]` to `[…, queries, width]`. */
    queries(x: tf.Tensor): tf.Tensor;
  };
}

/** What one block needs beside its parameters and inputs. */
export interface BlockContext {
  readonly config: TransformerConfig;
  readonly batch: number;
  readonly time: number;
  readonly cache: LayerCache;
  readonly plan: SlotPlan;
  /** Rotary angles, `[time, headWidth / 2]` or `[batch, time, headWidth / 2]`. */
  readonly angles?: Angles | undefined;
  readonly prefix?: KeyValuePrefix | undefined;
  /** Added to the scores of cached entries, `[batch, 1 or keyValueHeads, slots]`. */
  readonly slotBias?: tf.Tensor | undefined;
  readonly observedQueries: number;
  /** Give the queries before rotation. */
  readonly withQueries?: boolean;
  /** Which rows the block goes over; absent when it goes over all. */
  readonly selection?: RowSelection | undefined;
  /** Drops activations of one of the two branches; absent when nothing is dropped. */
  readonly dropout?: ((x: tf.Tensor, branch: 0 | 1) => tf.Tensor) | undefined;
}

export interface BlockResult {
  /** `[batch · time, modelWidth]`, or as many as are selected. */
  readonly rows: tf.Tensor;
  readonly cache: LayerCache;
  readonly probabilities?: tf.Tensor4D | undefined;
  /** Before rotation and scaling, `[batch, heads, time, headWidth]`. */
  readonly queries?: tf.Tensor4D | undefined;
}

type AnyAffine = Affine<tf.Tensor, Matrix>;
type AnyBlock = BlockParameters<tf.Tensor, Matrix>;

/** LayerNorm or RMS norm, whichever the configuration names. */
export function normalise(x: tf.Tensor, norm: Norm, { normEpsilon }: TransformerConfig): tf.Tensor {
  return norm.bias ? layerNorm(x, norm.gain, norm.bias, normEpsilon) : rmsNorm(x, norm.gain, normEpsilon);
}

function affine(x: tf.Tensor, { weight, bias, adapters }: AnyAffine): tf.Tensor {
  const product = matrixLinear(x, weight, bias);
  return adapters ? tf.add(product, lowRankUpdate(x, adapters, product.shape[1]!)) : product;
}

/**
 * A pre-norm transformer block: x += W attention(norm x), x += MLP(norm x).
 * @param rows `[batch · time, modelWidth]`, or as many as are selected
 */
export function blockForward(parameters: AnyBlock, rows: tf.Tensor, context: BlockContext): BlockResult {
  const { config, plan, cache, selection } = context;
  const attention = attentionForward(parameters, rows, context);
  const kept = selection?.kept ? selection.kept.rows(rows) : rows;
  const attended = addBranch(kept, attention.read, parameters.output, parameters.outputNorm, context, 0);
  const hidden = normalise(attended, parameters.mlpNorm, config);
  const expanded = activate(affine(hidden, parameters.up), config);
  return {
    rows: addBranch(attended, expanded, parameters.down, parameters.downNorm, context, 1),
    cache: {
      keys: attention.keys,
      values: attention.values,
      positions: cache.positions && plan.positions,
    },
    probabilities: attention.probabilities,
    queries: attention.queries,
  };
}

/** x + dropout(norm(W branch + b)), the norm where there is one */
function addBranch(
  x: tf.Tensor,
  branch: tf.Tensor,
  projection: AnyAffine,
  norm: Norm | undefined,
  { dropout, config }: BlockContext,
  site: 0 | 1,
): tf.Tensor {
  const { weight, bias, adapters } = projection;
  if (!dropout && !bias && !norm) {
    const sum = addMatrixLinear(x, branch, weight);
    return adapters ? tf.add(sum, lowRankUpdate(branch, adapters, sum.shape[1]!)) : sum;
  }
  const projected = affine(branch, projection);
  const added = norm ? normalise(projected, norm, config) : projected;
  return tf.add(x, dropout ? dropout(added, site) : added);
}

/** Queries and keys `[batch, heads, time, width]` by their angles, `[time, width / 2]` or `[batch, time, width / 2]` */
function turnHeads(heads: tf.Tensor, { cos, sin }: Angles): tf.Tensor {
  const [c, s] = [cos, sin].map((table) => (table.rank === 3 ? tf.expandDims(table, 1) : table));
  return applyRotary(heads, c!, s!);
}

interface AttentionForward extends AttentionResult {
  readonly keys: tf.Tensor;
  readonly values: tf.Tensor;
  readonly queries?: tf.Tensor4D;
}

function attentionForward(parameters: AnyBlock, rows: tf.Tensor, context: BlockContext): AttentionForward {
  const { config, batch, time, cache, plan, prefix, slotBias, selection } = context;
  const { heads, keyValueHeads, headWidth } = config;
  const packed = affine(normalise(rows, parameters.attentionNorm, config), parameters.queryKeyValue);
  const turned = heads + keyValueHeads;
  const all = turned + keyValueHeads;
  const split = selection
    ? selection.spread(packed)
    : time === 1
      ? tf.reshape(packed, [batch, all, 1, headWidth])
      : byHead(packed, batch, time, all);
  const [packedHeads, v] = tf.split(split, [turned, keyValueHeads], 1) as [tf.Tensor, tf.Tensor];
  const queryKey = normaliseHeads(parameters, packedHeads, config);
  const rotated = context.angles ? turnHeads(queryKey, context.angles) : queryKey;
  const [q, k] = tf.split(rotated, [heads, keyValueHeads], 1) as [tf.Tensor, tf.Tensor];
  const chosen = (x: tf.Tensor) => (selection?.kept ? selection.kept.queries(x) : x);
  const query = tf.mul(chosen(q), config.attentionScale);
  const queries = context.withQueries && {
    queries: (tf.split(queryKey, [heads, keyValueHeads], 1) as [tf.Tensor4D, tf.Tensor])[0],
  };
  if (plan.beside && !prefix && !slotBias) {
    const { mask, write, ownSlot } = plan.beside;
    const isObserved = context.observedQueries > 0;
    const own = { key: k, value: v };
    const result = attendBeside(query, cache, own, mask, isObserved ? ownSlot : undefined);
    return { ...result, ...queries, keys: write(cache.keys, k), values: write(cache.values, v) };
  }
  const keys = plan.append(cache.keys, k);
  const values = plan.append(cache.values, v);
  const seen = prefix
    ? {
        keys: tf.concat([prefix.keys, keys.visible], 2),
        values: tf.concat([prefix.values, values.visible], 2),
      }
    : { keys: keys.visible, values: values.visible };
  const mask = slotBias ? tf.add(plan.mask, biasOfColumns(slotBias, context)) : plan.mask;
  if (selection) {
    const { byHead: read } = attendByHead(query, seen.keys, seen.values, chosen(mask));
    return { read: selection.collect(read), keys: keys.next, values: values.next };
  }
  const result = attend(query, seen.keys, seen.values, mask, context.observedQueries);
  return { ...result, ...queries, keys: keys.next, values: values.next };
}

/** The bias of the rows that a call sees: it moves with their slots, and new rows have none. `[batch, heads, 1, columns]` */
function biasOfColumns(slotBias: tf.Tensor, { config, plan, time, prefix }: BlockContext): tf.Tensor {
  const [batch, , slots] = slotBias.shape as [number, number, number];
  const heads = config.keyValueHeads;
  const cached = tf.broadcastTo(tf.expandDims(slotBias, 3), [batch, heads, slots, 1]);
  const { visible } = plan.append(cached, tf.zeros([batch, heads, time, 1]));
  const row = tf.transpose(visible, [0, 1, 3, 2]);
  return prefix ? tf.concat([tf.zeros([batch, heads, 1, prefix.keys.shape[2]!]), row], 3) : row;
}

/** @param queryKey `[batch, heads + keyValueHeads, time, headWidth]` */
function normaliseHeads(
  { queryNorm, keyNorm }: AnyBlock,
  queryKey: tf.Tensor,
  config: TransformerConfig,
): tf.Tensor {
  if (!queryNorm || !keyNorm) return queryKey;
  const { heads, keyValueHeads } = config;
  const [q, k] = tf.split(queryKey, [heads, keyValueHeads], 1) as [tf.Tensor, tf.Tensor];
  return tf.concat([normalise(q, queryNorm, config), normalise(k, keyNorm, config)], 1);
}

function byHead(packed: tf.Tensor, batch: number, time: number, heads: number): tf.Tensor {
  return tf.transpose(tf.reshape(packed, [batch, time, heads, packed.shape[1]! / heads]), [0, 2, 1, 3]);
}

/** What an MLP makes of its expanded rows, `[..., 1 or 2 mlpWidth]`. */
export function activate(x: tf.Tensor, { activation }: TransformerConfig): tf.Tensor {
  if (activation === 'gelu') return gelu(x);
  if (activation === 'geluTanh') return geluTanh(x);
  const [gate, value] = tf.split(x, 2, -1) as [tf.Tensor, tf.Tensor];
  return activation === 'swiglu' ? swiGlu(gate, value) : tf.mul(geluTanh(gate), value);
}
