import { defineOp } from '../op.js';
import { tf } from '../tf.js';
import { logSoftmax as traceLogSoftmax, softmax as traceSoftmax } from '../trace/softmax.js';

const softmaxOp = defineOp<Record<string, never>>({
  name: 'Softmax',
  infer: ([x]) => [x!],
  compose: ([x]) => [tf.softmax(x!)],
  trace: (graph, [x]) => [traceSoftmax(graph, x!)],
  gradient: ({ outputGradients: [dy], outputs: [y] }) => {
    const weighted = tf.mul(dy!, y!);
    return [tf.sub(weighted, tf.mul(y!, tf.sum(weighted, -1, true)))];
  },
});

/** Softmax over the last axis. */
export function softmax(x: tf.Tensor): tf.Tensor {
  return softmaxOp([x], {})[0]!;
}

const logSoftmaxOp = defineOp<Record<string, never>>({
  name: 'LogSoftmax',
  infer: ([x]) => [x!],
  compose: ([x]) => [tf.logSoftmax(x!)],
  trace: (graph, [x]) => [traceLogSoftmax(graph, x!)],
  gradient: ({ outputGradients: [dy], outputs: [y] }) => [
    tf.sub(dy!, tf.mul(tf.exp(y!), tf.sum(dy!, -1, true))),
  ],
});

/** Logarithm of the softmax over the last axis. */
export function logSoftmax(x: tf.Tensor): tf.Tensor {
  return logSoftmaxOp([x], {})[0]!;
}

/** Added to scores that must not be attended to; large enough to vanish in a softmax, small enough to stay finite. */
export const MASKED = -1e9;

/**
 * Additive causal mask: query t may see keys up to `offset + t`.
 * @param keys default: as many as queries
 * @param offset keys that lie before the first query's own. Default `keys - queries`, which is 0 without a cache
 * @returns `[queries, keys]` of 0 and `MASKED`
 */
export function causalMask(queries: number, keys = queries, offset = keys - queries): tf.Tensor2D {
  const values = new Float32Array(queries * keys);
  for (let query = 0; query < queries; query++) {
    for (let key = Math.max(0, offset + query + 1); key < keys; key++) values[query * keys + key] = MASKED;
  }
  return tf.tensor2d(values, [queries, keys]);
}
