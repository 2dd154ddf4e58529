import { tf } from '@palimpsest/tensor-core';
import { type ConnectionFn, FiberConnection } from './connection.js';
import { asTensor, type LinearParameters, type MlpParameters } from './parameters.js';
import { safeNorm } from './safe-norm.js';
import { timesVector } from './transporter.js';
import { takeUpperTriangle } from './triangle.js';

function plainMlp(x: tf.Tensor, net: MlpParameters): tf.Tensor {
  const layer = (input: tf.Tensor, { weight, bias }: LinearParameters) =>
    tf.add(tf.matMul(input as tf.Tensor2D, asTensor(weight) as tf.Tensor2D, false, true), asTensor(bias));
  const silu = (input: tf.Tensor) => tf.mul(input, tf.sigmoid(input));
  return layer(silu(layer(silu(layer(x, net[0])), net[2])), net[4]);
}

/** The reference connection as the original writes it: F² outputs R, then (R − Rᵀ)/2. */
export function plainReferenceConnection(connection: FiberConnection): ConnectionFn {
  const { dBase: d, dFiber, metric, parameters } = connection;
  return (x, v) => {
    const rows = x.shape[0]!;
    const gamma = takeUpperTriangle(d).apply(tf.reshape(metric.forward(x), [rows, d * d]), 1);
    const outputs = plainMlp(tf.concat([x, v, gamma], 1), parameters.net);
    const full = tf.reshape(outputs, [rows, dFiber, dFiber]);
    return tf.mul(tf.sub(full, tf.transpose(full, [0, 2, 1])), 0.5);
  };
}

/**
 * Runge–Kutta transport as the original runs it, one segment and one evaluation after the other: the yardstick for the
 * batched form, in results and in time. `[B, F]` along `[B, P, d]` gives the fiber after every segment, `[B, P, F]`.
 */
export function transportStepByStep(
  connection: FiberConnection | ConnectionFn,
  fiber: tf.Tensor,
  path: tf.Tensor,
  interval: number,
): tf.Tensor {
  const evaluate: ConnectionFn =
    connection instanceof FiberConnection ? (x, v) => connection.forward(x, v) : connection;
  const points = tf.unstack(path, 1);
  const length = tf.maximum(safeNorm(fiber), 1e-8);
  const trace = [fiber];
  let f = fiber;
  for (let k = 0; k + 1 < points.length; k++) {
    const [start, end] = [points[k]!, points[k + 1]!];
    const v = tf.sub(end, start);
    const middle = tf.mul(tf.add(start, end), 0.5);
    const slope = (x: tf.Tensor, at: tf.Tensor) => tf.neg(timesVector(evaluate(x, v), at));
    const k1 = slope(start, f);
    const k2 = slope(middle, tf.add(f, tf.mul(k1, 0.5)));
    const k3 = slope(middle, tf.add(f, tf.mul(k2, 0.5)));
    const k4 = slope(end, tf.add(f, k3));
    f = tf.add(f, tf.div(tf.add(tf.add(k1, k4), tf.mul(tf.add(k2, k3), 2)), 6));
    if ((k + 1) % interval === 0) f = tf.mul(f, tf.div(length, tf.maximum(safeNorm(f), 1e-8)));
    trace.push(f);
  }
  return tf.stack(trace, 1);
}
