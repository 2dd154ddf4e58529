import { defineOp, tf } from '@palimpsest/tensor-core';

/** x Wᵀ on host arrays, four outputs at a time: three times as fast as the TensorFlow.js `cpu` kernel for few rows. */
const hostProduct: ReturnType<typeof defineOp<object>> = defineOp<object>({
  name: 'fiberRowsTimesTransposed',
  infer: ([rows, weight]) => [{ shape: [rows!.shape[0]!, weight!.shape[0]!], dtype: 'float32' }],
  compute: ([rows, weight]) => {
    const [count, inputs] = rows!.shape as [number, number];
    const outputs = weight!.shape[0]!;
    const result = new Float32Array(count * outputs);
    productInto(result, rows!.data as Float32Array, weight!.data as Float32Array, count, inputs, outputs);
    return [result];
  },
  trace: (graph, [rows, weight]) => {
    const shape = [rows!.shape[0]!, weight!.shape[0]!];
    return [graph.node('Gemm', [rows, weight], { shape, dtype: 'float32' }, { transB: 1 })];
  },
  gradient: ({ outputGradients: [dy], inputs: [rows, weight] }) => [
    tf.matMul(dy!, weight!),
    tf.matMul(dy!, rows!, true, false),
  ],
});

function productInto(
  result: Float32Array,
  rows: Float32Array,
  weight: Float32Array,
  count: number,
  inputs: number,
  outputs: number,
): void {
  const whole = outputs & ~3;
  for (let row = 0; row < count; row++) {
    const x = row * inputs;
    for (let o = 0; o < whole; o += 4) {
      const w0 = o * inputs;
      const [w1, w2, w3] = [w0 + inputs, w0 + 2 * inputs, w0 + 3 * inputs];
      let [a, b, c, d] = [0, 0, 0, 0];
      for (let i = 0; i < inputs; i++) {
        const value = rows[x + i]!;
        a += value * weight[w0 + i]!;
        b += value * weight[w1 + i]!;
        c += value * weight[w2 + i]!;
        d += value * weight[w3 + i]!;
      }
      const at = row * outputs + o;
      result[at] = a;
      result[at + 1] = b;
      result[at + 2] = c;
      result[at + 3] = d;
    }
    for (let o = whole; o < outputs; o++) {
      let sum = 0;
      for (let i = 0; i < inputs; i++) sum += rows[x + i]! * weight[o * inputs + i]!;
      result[row * outputs + o] = sum;
    }
  }
}

/**
 * x Wᵀ for rows `[n, in]` and a weight `[out, in]`. The transpose is a flag: eager engines would otherwise copy the
 * weight at every call, which for the few rows of a path costs more than the product.
 */
export function affineProduct(x: tf.Tensor, weight: tf.Tensor): tf.Tensor {
  if (tf.engine().backendName === 'cpu') return hostProduct([x, weight], {})[0]!;
  return tf.matMul(x as tf.Tensor2D, weight as tf.Tensor2D, false, true);
}
