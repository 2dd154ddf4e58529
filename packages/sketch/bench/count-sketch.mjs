// CountSketch.apply against the plain copy of its input (baseline 1) and against the product with the dense matrix S,
// on 64 rows, timed in turns in one run.
import { performance } from 'node:perf_hooks';
import { CountSketch, Mt19937 } from '../dist/index.js';

const rows = 64;
const generator = new Mt19937(1);

function denseProduct(matrix, x, dim, sketchDim) {
  const result = new Float32Array(rows * sketchDim);
  for (let row = 0; row < rows; row++) {
    for (let r = 0; r < sketchDim; r++) {
      let sum = 0;
      for (let i = 0; i < dim; i++) sum += matrix[r * dim + i] * x[row * dim + i];
      result[row * sketchDim + r] = sum;
    }
  }
  return result;
}

function shortest(route, turns = 7, budget = 20) {
  route();
  const first = performance.now();
  route();
  const repeats = Math.max(1, Math.min(5000, Math.round(budget / (performance.now() - first + 1e-3))));
  const times = Array.from({ length: turns }, () => {
    const start = performance.now();
    for (let i = 0; i < repeats; i++) route();
    return (performance.now() - start) / repeats;
  });
  return Math.min(...times);
}

console.log('    d     m   time / copy   dense / time');
for (const [dim, sketchDim] of [
  [64, 32],
  [64, 512],
  [512, 256],
  [1024, 1024],
]) {
  const x = Float32Array.from({ length: rows * dim }, () => generator.nextUniform() - 0.5);
  const sketch = new CountSketch({ dim, sketchDim, seed: 42 });
  const matrix = new Float32Array(sketchDim * dim);
  for (let i = 0; i < dim; i++) matrix[sketch.table.index[i] * dim + i] = sketch.table.sign[i];
  const copy = shortest(() => x.slice());
  const apply = shortest(() => sketch.apply(x));
  const dense = shortest(() => denseProduct(matrix, x, dim, sketchDim));
  const columns = [dim, sketchDim].map((n) => String(n).padStart(5));
  console.log(
    `${columns.join(' ')} ${(apply / copy).toFixed(1).padStart(13)} ${(dense / apply).toFixed(0).padStart(14)}`,
  );
}
