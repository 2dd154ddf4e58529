import { describe, expect, it } from 'vitest';
import {
  createEngine,
  type Engine,
  type NDArray,
  ndarray,
  QuantisedMatrix,
  quantisedBits,
  quantisedEmbedding,
  quantisedLinear,
  Rng,
  tf,
  valueAndGradient,
} from '../src/index.js';

/** Rows that no multiple of 32 divides, and one row that is all zeros. */
const [OUTPUTS, INPUTS] = [21, 70];

function weights(seed = 3): NDArray<'float32'> {
  const drawn = Rng.fromSeed(seed).normalArray([OUTPUTS, INPUTS]);
  drawn.data.fill(0, 2 * INPUTS, 3 * INPUTS);
  return drawn as NDArray<'float32'>;
}

const rowOf = ({ data }: NDArray, row: number) =>
  Float32Array.from(data.subarray(row * INPUTS, (row + 1) * INPUTS));

function quantised(bits: 4 | 8, from = weights()): QuantisedMatrix {
  const matrix = new QuantisedMatrix(OUTPUTS, INPUTS, bits);
  for (let row = 0; row < OUTPUTS; row++) matrix.setRow(row, rowOf(from, row));
  return matrix;
}

/** x Wᵀ with the values of the matrix, in float64. */
function exactProduct(x: NDArray, matrix: QuantisedMatrix): number[] {
  const rows = x.shape[0]!;
  return Array.from({ length: rows }, (_, row) =>
    Array.from({ length: matrix.outputs }, (_, output) =>
      matrix.row(output).reduce((sum, weight, i) => sum + weight * x.data[row * INPUTS + i]!, 0),
    ),
  ).flat();
}

const deviation = (values: ArrayLike<number>, expected: ArrayLike<number>) => {
  const differences = Array.from(values, (value, i) => (value - expected[i]!) ** 2);
  const squares = Array.from(expected, (value) => value ** 2);
  const sum = (list: number[]) => list.reduce((a, b) => a + b, 0);
  return Math.sqrt(sum(differences) / sum(squares));
};

async function withEngine<T>(name: 'cpu' | 'onnx', body: (engine: Engine) => Promise<T>): Promise<T> {
  const engine = await createEngine(name, name === 'onnx' ? { threads: 1 } : {});
  try {
    return await body(engine);
  } finally {
    await engine.dispose();
  }
}

describe.each(quantisedBits)('a matrix of %i bits', (bits) => {
  it('has every value within half a level, and takes as little memory as it says', () => {
    const from = weights();
    const matrix = quantised(bits, from);
    for (let row = 0; row < OUTPUTS; row++) {
      const [before, after] = [rowOf(from, row), matrix.row(row)];
      for (let block = 0; block * 32 < INPUTS; block++) {
        const own = before.subarray(block * 32, (block + 1) * 32);
        const largest = own.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
        const level = bits === 8 ? largest / 127 : largest / 8;
        own.forEach((value, i) => {
          const error = Math.abs(value - after[block * 32 + i]!);
          // The largest value of the other sign has no level of its own in 4 bits; a scale by least squares moves all a little.
          expect(error).toBeLessThanOrEqual(bits === 8 ? 0.5001 * level : 1.3 * level);
        });
      }
    }
    expect(matrix.row(2)).toEqual(new Float32Array(INPUTS));
    expect(matrix.packed.length).toBe(OUTPUTS * 3 * 4 * bits);
    expect(matrix.byteLength).toBe(OUTPUTS * 3 * (4 * bits + 4));
    const all = Array.from({ length: OUTPUTS }, (_, row) => [...matrix.row(row)]).flat();
    expect(deviation(all, from.data)).toBeLessThan(bits === 8 ? 0.006 : 0.1);
  });

  it('takes numbers that are too small for a scale, and very large ones', () => {
    const matrix = new QuantisedMatrix(2, 32, bits);
    matrix.setRow(0, new Float32Array(32).fill(1.4e-45));
    matrix.setRow(1, new Float32Array(32).fill(-3e38));
    expect([...matrix.row(0)].every((value) => Number.isFinite(value))).toBe(true);
    expect(matrix.row(1)[5]).toBeCloseTo(-3e38, -36);
  });

  it('keeps blocks whose levels are given, to the bit', () => {
    const matrix = new QuantisedMatrix(2, 32, bits);
    const levels = Int8Array.from({ length: 32 }, (_, i) => (bits === 8 ? 8 * i - 128 : (i % 16) - 8));
    matrix.setBlock(1, 0, 0.25, levels);
    expect([...matrix.row(1)]).toEqual([...levels].map((level) => 0.25 * level));
    expect([...matrix.row(0)]).toEqual(new Array(32).fill(0));
  });

  it.each(['cpu', 'onnx'] as const)('multiplies as its values do, on %s', (name) =>
    withEngine(name, async (engine) => {
      const matrix = quantised(bits);
      const bias = Rng.fromSeed(5).normalArray([OUTPUTS]);
      const run = engine.compile((x: tf.Tensor, b: tf.Tensor) => ({
        plain: quantisedLinear(x, matrix),
        biased: quantisedLinear(x, matrix, b),
      }));
      for (const rows of [1, 9]) {
        const x = Rng.fromSeed(rows).normalArray([rows, INPUTS]);
        const exact = exactProduct(x, matrix);
        const { plain, biased } = await run(x, bias);
        const values = await plain.data();
        // Graphs round activations to 8 bits per block.
        expect(deviation(values, exact)).toBeLessThan(name === 'cpu' ? 1e-6 : 0.008);
        const expected = Array.from(values, (value, i) => value + bias.data[i % OUTPUTS]!);
        expect(deviation(await biased.data(), expected)).toBeLessThan(1e-6);
        expect(plain.shape).toEqual([rows, OUTPUTS]);
      }
    }),
  );

  it.each(['cpu', 'onnx'] as const)('gives its rows, on %s', (name) =>
    withEngine(name, async (engine) => {
      const matrix = quantised(bits);
      const run = engine.compile((ids: tf.Tensor) => quantisedEmbedding(matrix, ids));
      const ids = [4, 0, 20, 2, 4, 7];
      const rows = await run(ndarray(Int32Array.from(ids), [2, 3], 'int32'));
      expect(rows.shape).toEqual([2, 3, INPUTS]);
      const expected = ids.flatMap((id) => [...matrix.row(id)]);
      expect(deviation(await rows.data(), expected)).toBeLessThan(1e-7);
    }),
  );

  it('takes more axes, and refuses others and gradients in one sentence', () =>
    withEngine('cpu', async (engine) => {
      const matrix = quantised(bits);
      const run = engine.compile((x: tf.Tensor) => quantisedLinear(x, matrix));
      expect((await run(Rng.fromSeed(1).normalArray([2, 3, INPUTS]))).shape).toEqual([2, 3, OUTPUTS]);
      await expect(run(Rng.fromSeed(1).normalArray([2, 3]))).rejects.toThrow(
        `A quantised matrix [21, 70] needs inputs [..., 70], but got [2, 3].`,
      );
      const gradient = engine.compile((x: tf.Tensor) =>
        valueAndGradient((own: tf.Tensor) => tf.sum(quantisedLinear(own, matrix)), x),
      );
      await expect(gradient(Rng.fromSeed(1).normalArray([1, INPUTS]))).rejects.toThrow('has no gradient');
    }));
});
