import { QuantisedMatrix, Rng } from '@palimpsest/tensor-core';
import { expect, it } from 'vitest';
import { hasKernels, matrixRoom, TransformerKernels } from '../../../src/kernels/kernels.js';

const [outputs, inputs, tokens] = [48, 96, 5];
const rng = Rng.fromSeed(2);

/** The largest error of products of a matrix of random numbers with rows that have one large number each. */
function multiplied(kernels: TransformerKernels, bits: 4 | 8, fine: boolean) {
  const matrix = new QuantisedMatrix(outputs, inputs, bits);
  for (let row = 0; row < outputs; row++) matrix.setRow(row, rng.normalArray([inputs]).data as Float32Array);
  const place = kernels.allocate(matrixRoom(outputs, inputs, bits));
  const { packed, scales } = matrix.bytesOfRows(0, outputs);
  kernels.arrange(place, packed, scales, { inputs, bits });
  const weights = { place, outputs, inputs, bits };
  const rows = rng.normalArray([tokens * inputs]).data as Float32Array;
  for (let token = 0; token < tokens; token++) rows[token * inputs + 7 * token] = 40;
  const [x, y, row] = [
    kernels.allocate(rows.length),
    kernels.allocate(tokens * outputs),
    kernels.allocate(inputs),
  ];
  const bias = kernels.allocate(outputs);
  const rounded = kernels.allocate(kernels.roundedRoom(tokens, inputs));
  kernels.numbers.fill(0, bias, bias + outputs);
  kernels.numbers.set(rows, x);
  kernels.multiply(y, weights, x, bias, tokens, rounded, fine);
  let error = 0;
  for (let output = 0; output < outputs; output++) {
    kernels.row(weights, output, row, 1);
    for (let token = 0; token < tokens; token++) {
      let expected = 0;
      for (let i = 0; i < inputs; i++) expected += kernels.numbers[row + i]! * rows[token * inputs + i]!;
      error = Math.max(error, Math.abs(kernels.numbers[y + token * outputs + output]! - expected));
    }
  }
  return error;
}

it.runIf(hasKernels(8))('fine products lose next to nothing beside a number that is much larger', () => {
  const kernels = new TransformerKernels(1, inputs);
  expect(multiplied(kernels, 8, false)).toBeGreaterThan(0.2);
  expect(multiplied(kernels, 8, true)).toBeLessThan(0.02);
  kernels.dispose();
});

it.runIf(hasKernels(4))('weights of 4 bits have no finer products', () => {
  const kernels = new TransformerKernels(1, inputs);
  const error = multiplied(kernels, 4, true);
  expect(error).toBeGreaterThan(0.2);
  expect(error).toBeLessThan(2);
  kernels.dispose();
});

it.runIf(hasKernels(32))(
  'products of 32 bits are exact but for their sums, and the same for any threads and rows at once',
  () => {
    const [rows, width, count] = [77, 96, 5];
    const weights = rng.normalArray([rows * width]).data as Float32Array;
    const inputs = rng.normalArray([count * width]).data as Float32Array;
    const added = rng.normalArray([rows]).data as Float32Array;
    const results = [1, 2].flatMap((threads) => {
      const kernels = new TransformerKernels(threads, width);
      const put = (values: Float32Array) => {
        const place = kernels.allocate(values.length);
        kernels.numbers.set(values, place);
        return place;
      };
      const matrix = { place: put(weights), outputs: rows, inputs: width, bits: 32 } as const;
      const [x, bias, y] = [put(inputs), put(added), kernels.allocate(count * rows)];
      const given = [5, 1, 2].map((tokens) => {
        for (let token = 0; token < count; token += tokens) {
          const own = Math.min(tokens, count - token);
          kernels.multiply(y + token * rows, matrix, x + token * width, bias, own, 0);
        }
        return kernels.numbers.slice(y, y + count * rows);
      });
      kernels.dispose();
      return given;
    });
    for (const result of results) expect(result).toEqual(results[0]);
    for (let token = 0; token < count; token++) {
      for (let row = 0; row < rows; row++) {
        const products = Array.from(
          { length: width },
          (_, i) => weights[row * width + i]! * inputs[token * width + i]!,
        );
        const size = products.reduce((sum, product) => sum + Math.abs(product), 0);
        const exact = products.reduce((sum, product) => sum + product, added[row]!);
        expect(Math.abs(results[0]![token * rows + row]! - exact)).toBeLessThan(3e-7 * size);
      }
    }
  },
);
