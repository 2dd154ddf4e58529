import { createEngine, type Engine, type NDArray, ndarray, probeEngines, tf } from '@palimpsest/tensor-core';
import type { Benchmark, BenchmarkCase } from './benchmark.js';

/** Width of the matrices, and of the layers of the training step. */
const WIDTH = 256;

/** The engines of this machine against plain TensorFlow.js on the `cpu` backend, doing the same work. */
export function engineBenchmarks(): Benchmark[] {
  return [
    {
      name: 'engines/matmul',
      title: 'Matrix product by engine',
      work: `${WIDTH} x ${WIDTH} times ${WIDTH} x ${WIDTH}`,
      baseline: 'cpu',
      prepare: () =>
        onEveryEngine((engine) => {
          const multiply = engine.compile(
            (left: tf.Tensor, right: tf.Tensor) => tf.matMul(left as tf.Tensor2D, right as tf.Tensor2D),
            { name: 'multiply' },
          );
          const [left, right] = [square(1), square(2)];
          return async () => {
            const product = await multiply(left, right);
            await product.data();
            product.dispose();
          };
        }),
    },
    {
      name: 'engines/gradient',
      title: 'Forward and backward pass by engine',
      work: `two layers of ${WIDTH} with a sigmoid GELU, batch ${WIDTH}`,
      baseline: 'cpu',
      prepare: () => onEveryEngine(gradientRun),
    },
  ];
}

function gradientRun(engine: Engine): () => Promise<void> {
  const loss = (first: tf.Tensor, second: tf.Tensor, input: tf.Tensor) => {
    const hidden = tf.matMul(input as tf.Tensor2D, first as tf.Tensor2D);
    const active = tf.mul(hidden, tf.sigmoid(tf.mul(hidden, 1.702)));
    return tf.mean(tf.square(tf.matMul(active as tf.Tensor2D, second as tf.Tensor2D))) as tf.Scalar;
  };
  const gradients = engine.compile(
    (first: tf.Tensor, second: tf.Tensor, input: tf.Tensor) =>
      tf.grads((a: tf.Tensor, b: tf.Tensor) => loss(a, b, input))([first, second]),
    { name: 'gradients' },
  );
  const [first, second, input] = [square(1), square(2), square(3)];
  return async () => {
    const results = await gradients(first, second, input);
    await results[0]!.data();
    for (const result of results) result.dispose();
  };
}

/** One case per engine that loads here; the engine lives as long as its case. */
async function onEveryEngine(prepare: (engine: Engine) => () => Promise<void>): Promise<BenchmarkCase[]> {
  const cases: BenchmarkCase[] = [];
  for (const { name, available } of await probeEngines()) {
    if (!available) continue;
    const engine = await createEngine(name);
    cases.push({ name, run: prepare(engine), dispose: () => engine.dispose() });
  }
  return cases;
}

function square(seed: number): NDArray {
  const values = Float32Array.from(
    { length: WIDTH ** 2 },
    (_, index) => Math.sin(seed + index) * WIDTH ** -0.5,
  );
  return ndarray(values, [WIDTH, WIDTH]);
}
