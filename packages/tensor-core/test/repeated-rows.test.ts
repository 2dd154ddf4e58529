import { afterAll, describe, expect, test } from 'vitest';
import { createEngine, embedding, type NDArray, ndarray, Rng, tf } from '../src/index.js';

// The runtime's ScatterND with addition loses updates when two threads add to one row. It begins near 4,096 rows of 64.
const engine = await createEngine('onnx', { threads: 2 });
const ROWS = 8192;
const WIDTH = 64;
const VOCABULARY = 2000;

afterAll(() => engine.dispose());

/** Few kinds of ids, and ids as frequent as words (the n-th with a share of 1/n). */
function idsOf(kind: 'four kinds' | 'words'): NDArray<'int32'> {
  const rng = Rng.fromSeed(3);
  const draw = () => Math.min(VOCABULARY - 1, Math.floor(VOCABULARY ** rng.uniform()) - 1);
  return ndarray(
    Int32Array.from({ length: ROWS }, (_, row) => (kind === 'words' ? Math.max(0, draw()) : row % 4)),
    [ROWS],
    'int32',
  );
}

/** Work that lets the graph run on both threads. */
const ballast = () => tf.sum(tf.matMul(tf.ones([256, 256]), tf.ones([256, 256])));

const sums = {
  'the gradient of an embedding': (rows: tf.Tensor, ids: tf.Tensor) =>
    tf.grad((table) => tf.sum(tf.mul(embedding(table, ids), rows)))(tf.zeros([VOCABULARY, WIDTH])),
  'the gradient of gather': (rows: tf.Tensor, ids: tf.Tensor) =>
    tf.grad((table) => tf.sum(tf.mul(tf.gather(table, ids), rows)))(tf.zeros([VOCABULARY, WIDTH])),
  unsortedSegmentSum: (rows: tf.Tensor, ids: tf.Tensor) =>
    tf.unsortedSegmentSum(rows, ids as tf.Tensor1D, VOCABULARY),
  scatterND: (rows: tf.Tensor, ids: tf.Tensor) =>
    tf.scatterND(tf.reshape(ids, [ROWS, 1]), rows, [VOCABULARY, WIDTH]),
};

describe.each(Object.entries(sums))('%s on two threads', (_name, sum) => {
  test.each(['four kinds', 'words'] as const)('adds every row of ids of %s', async (kind) => {
    const ids = idsOf(kind);
    // Whole numbers, whose sums are exact in any order.
    const rows = ndarray(
      Float32Array.from({ length: ROWS * WIDTH }, (_, i) => 1 + (i % 3)),
      [ROWS, WIDTH],
    );
    const expected = new Float32Array(VOCABULARY * WIDTH);
    for (let i = 0; i < rows.data.length; i++)
      expected[ids.data[Math.floor(i / WIDTH)]! * WIDTH + (i % WIDTH)]! += rows.data[i]!;
    const run = engine.compile((r: tf.Tensor, i: tf.Tensor) => ({ total: sum(r, i), other: ballast() }));
    for (let repeat = 0; repeat < 20; repeat++) {
      const { total, other } = await run(rows as never, ids as never);
      const lost = (await total.data()).findIndex((value, index) => value !== expected[index]);
      expect(lost, `run ${repeat}`).toBe(-1);
      total.dispose();
      other.dispose();
    }
    await run.dispose();
  });
});
