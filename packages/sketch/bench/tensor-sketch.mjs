// TensorSketch by sums over live buckets against TensorSketch by transforms, timed in turns in one run; and what 'auto'
// takes of the two. Ratios above 1: the direct route is faster.
import { performance } from 'node:perf_hooks';
import { Mt19937, TensorSketch } from '../dist/index.js';

const generator = new Mt19937(1);
const vector = (dim) => Float64Array.from({ length: dim }, () => generator.nextUniform() - 0.5);

/** Shortest of the times of several turns; the routes alternate so that a busy machine disturbs all of them alike. */
function timeInTurns(routes, turns = 15, budget = 5) {
  const times = routes.map(() => []);
  const repeats = routes.map((route) => {
    route();
    const start = performance.now();
    route();
    return Math.max(1, Math.min(2000, Math.round(budget / (performance.now() - start + 1e-3))));
  });
  for (let turn = 0; turn < turns; turn++) {
    for (const [k, route] of routes.entries()) {
      const start = performance.now();
      for (let i = 0; i < repeats[k]; i++) route();
      times[k].push((performance.now() - start) / repeats[k]);
    }
  }
  return times.map((each) => Math.min(...each));
}

console.log('degree     d     m   fft / direct   auto / better');
let slowestChoice = 0;
for (const degree of [2, 3]) {
  for (const dim of degree === 2 ? [8, 32, 64, 128, 256, 512] : [4, 8, 16, 32, 64]) {
    for (const sketchDim of [256, 1000, 1024, 4096]) {
      const x = vector(dim);
      const [fft, direct, auto] = timeInTurns(
        ['fft', 'direct', 'auto'].map((method) => {
          const sketch = new TensorSketch({ dim, sketchDim, degree, method });
          return () => sketch.transform(x);
        }),
      );
      const choice = auto / Math.min(fft, direct);
      slowestChoice = Math.max(slowestChoice, choice);
      const columns = [degree, dim, sketchDim].map((n, i) => String(n).padStart(i ? 5 : 6));
      console.log(
        `${columns.join(' ')} ${(fft / direct).toFixed(2).padStart(14)} ${choice.toFixed(2).padStart(15)}`,
      );
    }
  }
}
console.log(`auto at worst: ${slowestChoice.toFixed(2)} times the better route`);
