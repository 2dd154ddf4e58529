// Speed of one set: building 10,000 x 768 rows; batched encoding of width 256 against the original's loop over vectors, and
// against calls of `encode`; searching records against decoding them. First CPU time of this process, all threads together, which
// other programs lengthen less than wall time, then wall time in brackets. `node bench/speed.mjs`
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

/** Milliseconds of a call by either clock. */
function timed(action) {
  const start = process.cpuUsage();
  const from = performance.now();
  action();
  const wall = performance.now() - from;
  const { user, system } = process.cpuUsage(start);
  return { cpu: (user + system) / 1000, wall };
}

/** The round of least CPU time among several, each of several calls, in microseconds per item. */
function microseconds(action, items, calls = 5) {
  const round = () => {
    for (let i = 0; i < calls; i++) action();
  };
  round();
  let best = { cpu: Infinity, wall: Infinity };
  for (let i = 0; i < 7; i++) {
    const own = timed(round);
    if (own.cpu < best.cpu) best = own;
  }
  const scale = 1000 / calls / items;
  return { cpu: best.cpu * scale, wall: best.wall * scale };
}

const both = ({ cpu, wall }, digits, unit) => `${cpu.toFixed(digits)} ${unit} (${wall.toFixed(digits)})`;
const times = (slow, fast) => `${(slow.cpu / fast.cpu).toFixed(1)} times`;

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
  const { cpu, wall } = timed(() => set.build(large, largeAxis));
  const seconds = both({ cpu: cpu / 1000, wall: wall / 1000 }, 2, 's');
  console.log(`build of 10,000 x 768, ${name}: ${seconds}, rank ${set.skeleton.dEff}`);
}

const [ROWS, WIDTH] = [1000, 256];
const rows = factorRows(ROWS, WIDTH);
const axis = random.normals(WIDTH);
const query = random.normals(WIDTH);
const original = new KakeyaSet(0, 'ctx', ['f'], presets.reference);
original.build(rows, axis);
const plain = microseconds(() => {
  for (let i = 0; i < ROWS; i++) plainEncode(original.skeleton, rowOf(rows, i));
}, ROWS);
console.log(`1,000 x 256; the original's loop over vectors: ${both(plain, 1, 'us')} per vector`);

const score = (decoded, from) => {
  let sum = 0;
  for (let j = 0; j < WIDTH; j++) sum += decoded[from + j] * query[j];
  return sum;
};
for (const [name, config] of kinds) {
  const set = new KakeyaSet(0, 'ctx', ['f'], config);
  const build = timed(() => set.build(rows, axis));
  const records = set.encodeBatch(rows);
  const batch = microseconds(() => set.encodeBatch(rows), ROWS, 50);
  const single = microseconds(() => {
    for (let i = 0; i < ROWS; i++) set.encode(rowOf(rows, i));
  }, ROWS);
  const index = new CompressedIndex(set);
  for (const [i, record] of records.entries()) index.add(i, record);
  const search = microseconds(() => index.search(query, 10), ROWS, 300);
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
  console.log(`${name}: build ${both(build, 0, 'ms')}, rank ${set.skeleton.dEff}
  encodeBatch ${both(batch, 1, 'us')}, ${Math.round(1e6 / batch.cpu)} vectors/s; the original's loop takes ${times(plain, batch)} as long, calls of encode ${times(single, batch)}
  search ${both(search, 2, 'us')} per record; decoding all in a batch and scoring ${both(together, 1, 'us')}, ${times(together, search)}; one by one ${both(oneByOne, 1, 'us')}, ${times(oneByOne, search)}`);
}
