// Speed of one set in CPU time of this process, which other programs lengthen less than wall time: building 10,000 x 768 rows;
// batched encoding of width 256 against the original's loop over vectors, and against calls of `encode`; searching records
// against decoding them. `node bench/speed.mjs`
import { CompressedIndex, KakeyaSet, matrix, presets, Random, rowOf } from '../dist/index.js';
import { plainEncode } from './plain-encode.mjs';

const random = new Random(1);

/** Rows of 24 factors and some noise. */
function factorRows(rows, width) {
  const mixing = random.normals(24 * width);
  const data = new Float32Array(rows * width);
  for (let i = 0; i < rows; i++) {
    const factors = random.normals(24);
    for (let j = 0; j < width; j++) {
      let sum = 0.1 * random.normal();
      for (let k = 0; k < 24; k++) sum += factors[k] * mixing[k * width + j];
      data[i * width + j] = sum;
    }
  }
  return matrix(rows, width, data);
}

/** CPU milliseconds of a call. */
function cpu(action) {
  const start = process.cpuUsage();
  action();
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1000;
}

/** The fastest of several measurements, each of several calls, in microseconds per item. */
function microseconds(action, items, calls = 3) {
  for (let i = 0; i < calls; i++) action();
  let best = Infinity;
  for (let round = 0; round < 5; round++) {
    best = Math.min(
      best,
      cpu(() => {
        for (let i = 0; i < calls; i++) action();
      }),
    );
  }
  return (best * 1000) / calls / items;
}

const kinds = [
  ['reference', presets.reference],
  ['refit', { ...presets.reference, encoder: 'refit' }],
  ['scalar transform', { quantiser: 'scalar' }],
  ['trellis (default)', {}],
];

const large = factorRows(10_000, 768);
const largeAxis = random.normals(768);
for (const [name, config] of kinds.filter(([name]) => name !== 'refit')) {
  const set = new KakeyaSet(0, 'ctx', ['f'], config);
  const ms = cpu(() => set.build(large, largeAxis));
  console.log(`build of 10,000 x 768, ${name}: ${(ms / 1000).toFixed(2)} s, rank ${set.skeleton.dEff}`);
}

const [ROWS, WIDTH] = [1000, 256];
const rows = factorRows(ROWS, WIDTH);
const axis = random.normals(WIDTH);
const query = random.normals(WIDTH);
for (const [name, config] of kinds) {
  const set = new KakeyaSet(0, 'ctx', ['f'], config);
  const build = cpu(() => set.build(rows, axis));
  const records = set.encodeBatch(rows);
  const batch = microseconds(() => set.encodeBatch(rows), ROWS);
  const single = microseconds(() => {
    for (let i = 0; i < ROWS; i++) set.encode(rowOf(rows, i));
  }, ROWS);
  console.log(
    `${name}: build ${build.toFixed(0)} ms, rank ${set.skeleton.dEff}; encode ${batch.toFixed(1)} us, ${Math.round(1e6 / batch)} vectors/s, ${(single / batch).toFixed(1)} times as fast as calls of encode`,
  );
  if (name === 'reference') {
    const { skeleton } = set;
    const plain = microseconds(() => {
      for (let i = 0; i < ROWS; i++) plainEncode(skeleton, rowOf(rows, i));
    }, ROWS);
    console.log(
      `  the original's loop over vectors: ${plain.toFixed(1)} us, ${(plain / batch).toFixed(1)} times as long`,
    );
  }
  const index = new CompressedIndex(set);
  for (const [i, record] of records.entries()) index.add(i, record);
  const search = microseconds(() => index.search(query, 10), ROWS, 300);
  const score = (decoded, from) => {
    let sum = 0;
    for (let j = 0; j < WIDTH; j++) sum += decoded[from + j] * query[j];
    return sum;
  };
  const oneByOne = microseconds(() => {
    let best = -Infinity;
    for (const record of records) best = Math.max(best, score(set.decode(record), 0));
    return best;
  }, ROWS);
  const together = microseconds(() => {
    let best = -Infinity;
    const { data } = set.decodeBatch(records);
    for (let i = 0; i < ROWS; i++) best = Math.max(best, score(data, i * WIDTH));
    return best;
  }, ROWS);
  console.log(
    `  search ${search.toFixed(2)} us per record; decoding them ${oneByOne.toFixed(1)} us one by one (${(oneByOne / search).toFixed(0)} times), ${together.toFixed(1)} us in one batch (${(together / search).toFixed(0)} times)`,
  );
}
