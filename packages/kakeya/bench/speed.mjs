// Speed of one set, as ratios against one-vector-at-a-time calls timed in the same run, and search against decoding.
import { CompressedIndex, KakeyaSet, matrix, presets, Random, rowOf } from '../dist/index.js';

const [ROWS, WIDTH] = [1000, 256];
const random = new Random(1);
const mixing = random.normals(24 * WIDTH);
const data = new Float32Array(ROWS * WIDTH);
for (let i = 0; i < ROWS; i++) {
  const factors = random.normals(24);
  for (let j = 0; j < WIDTH; j++) {
    data[i * WIDTH + j] = factors.reduce(
      (sum, f, k) => sum + f * mixing[k * WIDTH + j],
      0.1 * random.normal(),
    );
  }
}
const rows = matrix(ROWS, WIDTH, data);
const axis = random.normals(WIDTH);

function microseconds(action, count) {
  action();
  const runs = 5;
  const start = performance.now();
  for (let run = 0; run < runs; run++) action();
  return ((performance.now() - start) * 1000) / runs / count;
}

for (const [name, config] of [
  ['reference', presets.reference],
  ['refit', { ...presets.reference, encoder: 'refit' }],
  ['scalar transform', { quantiser: 'scalar' }],
  ['trellis (default)', {}],
]) {
  const set = new KakeyaSet(0, 'ctx', ['f'], config);
  const start = performance.now();
  set.build(rows, axis);
  const build = performance.now() - start;
  const records = set.encodeBatch(rows);
  const single = microseconds(() => {
    for (let i = 0; i < ROWS; i++) set.encode(rowOf(rows, i));
  }, ROWS);
  const batch = microseconds(() => set.encodeBatch(rows), ROWS);
  const decode = microseconds(() => set.decodeBatch(records), ROWS);
  const index = new CompressedIndex(set);
  records.forEach((record, i) => {
    index.add(i, record);
  });
  const query = random.normals(WIDTH);
  const search = microseconds(() => index.search(query, 10), ROWS);
  const decoded = microseconds(() => {
    let best = -Infinity;
    for (const record of records) {
      const v = set.decode(record);
      let sum = 0;
      for (let j = 0; j < WIDTH; j++) sum += v[j] * query[j];
      best = Math.max(best, sum);
    }
    return best;
  }, ROWS);
  console.log(
    `${name}: build ${build.toFixed(0)} ms; encode ${batch.toFixed(1)} us (single calls ${(single / batch).toFixed(2)}x); ` +
      `decode ${decode.toFixed(1)} us; search ${search.toFixed(2)} us per entry, ${(decoded / search).toFixed(1)}x faster than decoding`,
  );
}
