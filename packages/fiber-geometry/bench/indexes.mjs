// Recall@8 and latency of every index on uniform (u) and clustered (c) directions, d = 16, against the flat scan of the
// same run. `node bench/indexes.mjs` runs 10² to 10⁵; `node bench/indexes.mjs 1000000` adds the size given.
import { benchmarkIndex } from '../dist/index.js';

const DIMENSION = 16;
const K = 8;
const CLUSTERS = 64;
const extra = process.argv.slice(2).map(Number);
const sizes = extra.length > 0 ? extra : [100, 1_000, 10_000, 100_000];

/** Kinds worth measuring at a size: the tree's insertion and the cone's search grow too slow to wait for. */
const kindsAt = (n) => {
  if (n > 100_000) return ['hnsw'];
  return n > 10_000 ? ['cone', 'hnsw'] : ['tree', 'cone', 'hnsw'];
};

console.log('       n  directions  kind   recall@8  ms/query  flat ms  speed-up  insert µs');
for (const n of sizes) {
  for (const clusters of n > 100_000 ? [0] : [0, CLUSTERS]) {
    for (const kind of kindsAt(n)) {
      const queries = n > 10_000 ? 100 : 200;
      const { recall, searchMs, flatSearchMs, insertMicroseconds } = benchmarkIndex(n, DIMENSION, K, {
        kind,
        clusters,
        queries,
      });
      const cell = (value, digits, width) => value.toFixed(digits).padStart(width);
      console.log(
        `${String(n).padStart(8)}  ${clusters ? 'clustered ' : 'uniform   '}  ${kind.padEnd(5)} ${cell(recall, 4, 9)} ${cell(searchMs, 3, 9)} ${cell(flatSearchMs, 3, 8)} ${cell(flatSearchMs / searchMs, 1, 9)} ${cell(insertMicroseconds, 1, 10)}`,
      );
    }
  }
}
