import { defineOp, type GraphBuilder, tf, type Value, writeRows } from '@palimpsest/tensor-core';
import type { Angles } from './position-angles.js';

interface AttentionAttributes {
  readonly heads: number;
  readonly keyValueHeads: number;
  readonly scale: number;
  /** Newest tokens that a query sees, its own included; 0 for all. */
  readonly reach: number;
  readonly isPacked: boolean;
  readonly isRotary: boolean;
}

const onlyInGraphs = (name: string) => (): tf.Tensor[] => {
  throw new Error(`'${name}' is a node of ONNX Runtime.`);
};

/** Causal attention behind a cache as one node of ONNX Runtime (`GroupQueryAttention`), and the rows that the cache lacks. */
const attentionOp = defineOp<AttentionAttributes>({
  name: 'FusedAttention',
  infer: ([keys, , , , , query], { heads, keyValueHeads }) => {
    const [width, time] = [keys!.shape[3]!, query!.shape[1]!];
    const fresh = { shape: [1, keyValueHeads, time, width], dtype: 'float32' } as const;
    return [{ shape: [1, time, heads * width], dtype: 'float32' }, fresh, fresh];
  },
  compose: onlyInGraphs('FusedAttention'),
  trace: (graph, inputs, { heads, keyValueHeads, scale, reach, isPacked, isRotary }) => {
    const [keys, values, first, last, total, query, ...rest] = inputs as [
      Value,
      Value,
      Value,
      Value,
      Value,
      Value,
    ];
    const [key, value] = isPacked ? [undefined, undefined] : rest;
    const angles = isRotary ? rest.slice(-2) : [];
    const [width, time] = [keys.shape[3]!, query.shape[1]!];
    const [read, ...caches] = graph.nodes(
      'GroupQueryAttention',
      [query, key, value, keys, values, last, total, ...angles],
      [{ ...outputOf(query), shape: [1, time, heads * width] }, keys, values],
      {
        num_heads: heads,
        kv_num_heads: keyValueHeads,
        scale: { float: scale },
        do_rotary: Number(isRotary),
        ...(reach > 0 && { local_window_size: reach }),
      },
      'com.microsoft',
    );
    const axis = graph.constant(Int32Array.of(2), [1], 'int32');
    const shape = [1, keyValueHeads, time, width];
    const freeAxis = query.freeAxis === undefined ? undefined : 2;
    const fresh = caches.map((cache) =>
      graph.node('Slice', [cache, first, total, axis], { shape, dtype: 'float32', freeAxis }),
    );
    return [read!, ...fresh];
  },
});

const outputOf = ({ shape, dtype, freeAxis }: Value) => ({ shape, dtype, freeAxis });

/** How many tokens there are with the new ones, as the runtime wants it. */
export interface Lengths<T = tf.Tensor> {
  /** int32 `[1]`: position of the first new token */
  readonly first: T;
  /** int32 `[1]`: position of the last token */
  readonly last: T;
  /** int32 `[1]`: number of tokens */
  readonly total: T;
}

export interface FusedAttention {
  readonly heads: number;
  readonly keyValueHeads: number;
  readonly scale: number;
  readonly reach: number;
  readonly angles?: Angles | undefined;
}

/**
 * Causal attention of new rows behind a cache whose slot is the position: keys are rotated, and they and the values are put
 * behind the others. The node does so in a copy of its own, and the new rows are written into the cache after the run: the
 * runtime copies every result, so that a whole cache as a result costs more than all else.
 * @param rows query, key and value rows side by side `[1, time, (heads + 2 keyValueHeads) · width]`, or the three apart
 * @param cache `[1, keyValueHeads, slots, width]` each
 * @param slots int32 `[1, keyValueHeads, time]`: positions of the rows, for every head
 * @returns what was read, `[1, time, heads · width]`, and the cache after the call
 */
export function fusedAttention(
  rows: tf.Tensor | readonly [tf.Tensor, tf.Tensor, tf.Tensor],
  cache: { readonly keys: tf.Tensor; readonly values: tf.Tensor },
  { first, last, total }: Lengths,
  slots: tf.Tensor,
  { angles, ...attributes }: FusedAttention,
): { read: tf.Tensor; keys: tf.Tensor; values: tf.Tensor } {
  const isPacked = rows instanceof tf.Tensor;
  const inputs = [cache.keys, cache.values, first, last, total, ...(isPacked ? [rows] : rows)];
  if (angles) inputs.push(angles.cos, angles.sin);
  const isRotary = angles !== undefined;
  const [read, key, value] = attentionOp(inputs, { ...attributes, isPacked, isRotary });
  return {
    read: read!,
    keys: writeRows(cache.keys, key!, slots),
    values: writeRows(cache.values, value!, slots),
  };
}

const linearOp = defineOp<Record<string, never>>({
  name: 'FusedLinear',
  infer: ([x, weight]) => [{ shape: [...x!.shape.slice(0, -1), weight!.shape[0]!], dtype: 'float32' }],
  compose: onlyInGraphs('FusedLinear'),
  trace: (graph, [x, weight, bias]) => {
    const result = { ...outputOf(x!), shape: [...x!.shape.slice(0, -1), weight!.shape[0]!] };
    const product = graph.node('FusedMatMul', [x, weight], result, { transB: 1 }, 'com.microsoft');
    return [bias ? graph.node('Add', [product, bias], result) : product];
  },
});

/**
 * `linear` for any number of rows, by a weight that is an input of the graph.
 * @param x `[1, time, in]`
 * @param weight `[out, in]`
 */
export const fusedLinear = (x: tf.Tensor, weight: tf.Tensor, bias?: tf.Tensor): tf.Tensor =>
  linearOp(bias ? [x, weight, bias] : [x, weight], {})[0]!;

const lastRowOp = defineOp<Record<string, never>>({
  name: 'LastRow',
  infer: ([x]) => [{ shape: [1, 1, x!.shape[2]!], dtype: 'float32' }],
  compose: onlyInGraphs('LastRow'),
  trace: (graph, [x]) => [
    graph.node(
      'Gather',
      [x, graph.int64([-1])],
      { shape: [1, 1, x!.shape[2]!], dtype: 'float32' },
      { axis: 1 },
    ),
  ],
});

/** The last of however many rows: `[1, time, width]` to `[1, 1, width]`. */
export const lastRow = (x: tf.Tensor): tf.Tensor => lastRowOp([x], {})[0]!;

const normNode = (graph: GraphBuilder, x: Value, gain: Value, epsilon: number): Value =>
  graph.node('SimplifiedLayerNormalization', [x, gain], outputOf(x), {
    axis: -1,
    epsilon: { float: epsilon },
  });

const rmsNormOp = defineOp<{ readonly epsilon: number }>({
  name: 'FusedRmsNorm',
  infer: ([x]) => [x!],
  compose: onlyInGraphs('FusedRmsNorm'),
  trace: (graph, [x, gain], { epsilon }) => {
    const width = gain!.shape[0]!;
    if (width === x!.shape[2]) return [normNode(graph, x!, gain!, epsilon)];
    const heads = x!.shape[2]! / width;
    const apart = graph.node('Reshape', [x, graph.int64([1, -1, heads, width])], {
      ...outputOf(x!),
      shape: [1, x!.shape[1]!, heads, width],
    });
    const normal = normNode(graph, apart, gain!, epsilon);
    return [graph.node('Reshape', [normal, graph.int64([1, -1, x!.shape[2]!])], outputOf(x!))];
  },
});

/**
 * `rmsNorm` in one node for any number of rows.
 * @param x `[1, time, width]`, or `[1, time, heads · width]` to normalise every head
 * @param gain `[width]`
 */
export const fusedRmsNorm = (x: tf.Tensor, gain: tf.Tensor, epsilon: number): tf.Tensor =>
  rmsNormOp([x, gain], { epsilon })[0]!;

const siluGateOp = defineOp<Record<string, never>>({
  name: 'FusedSiluGate',
  infer: ([x]) => [{ shape: [...x!.shape.slice(0, -1), x!.shape.at(-1)! / 2], dtype: 'float32' }],
  compose: onlyInGraphs('FusedSiluGate'),
  trace: (graph, [x]) => {
    const width = x!.shape.at(-1)! / 2;
    const half = { ...outputOf(x!), shape: [...x!.shape.slice(0, -1), width] };
    const [gate, value] = graph.nodes('Split', [x, graph.int64([width, width])], [half, half], { axis: -1 });
    // A sigmoid of 1 · x times x.
    const silu = graph.node('QuickGelu', [gate], half, { alpha: { float: 1 } }, 'com.microsoft');
    return [graph.node('Mul', [silu, value], half)];
  },
});

/** `swiGlu` of gate and value side by side, `[1, time, 2 width]`. */
export const fusedSiluGate = (x: tf.Tensor): tf.Tensor => siluGateOp([x], {})[0]!;
