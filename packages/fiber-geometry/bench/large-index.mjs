// A graph of a million directions, d = 16: recall@8 and CPU time per search for several candidate counts (ef), against the
// flat scan of the same run. Building takes about ten minutes of one core. `node bench/large-index.mjs [n]`
import { Rng } from '../../tensor-core/dist/index.js';
import { FlatIndex, HnswIndex } from '../dist/index.js';

const [DIMENSION, K, QUERIES] = [16, 8, 500];
const n = Number(process.argv[2] ?? 1_000_000);
const rng = Rng.fromSeed(1);
const draw = () => Float32Array.from({ length: DIMENSION }, () => rng.normal());

/** CPU milliseconds of this process, which other programs on the machine do not lengthen as they do wall time. */
const cpu = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};

const graph = new HnswIndex(DIMENSION);
const flat = new FlatIndex(DIMENSION);
let building = 0;
for (let id = 0; id < n; id++) {
  const vector = draw();
  const before = id % 1000 === 0 ? cpu() : 0;
  graph.insert(id, vector);
  if (id % 1000 === 0) building += cpu() - before;
  flat.insert(id, vector);
}
console.log(
  `${n} directions; about ${((1000 * building) / Math.ceil(n / 1000)).toFixed(0)} µs per insertion`,
);

const questions = Array.from({ length: QUERIES }, draw);
const start = cpu();
const truth = questions.map((question) => new Set(flat.search(question, K).map(({ id }) => id)));
const flatMs = (cpu() - start) / QUERIES;
console.log(`flat scan: ${flatMs.toFixed(2)} ms`);
for (const ef of [32, 48, 64, 80, 96, 112]) {
  for (const question of questions) graph.search(question, K, ef);
  const before = cpu();
  const hits = questions.map((question) => graph.search(question, K, ef));
  const ms = (cpu() - before) / QUERIES;
  const found = hits.reduce((sum, list, i) => sum + list.filter(({ id }) => truth[i].has(id)).length, 0);
  console.log(
    `ef ${String(ef).padStart(3)}: recall@8 ${(found / (QUERIES * K)).toFixed(4)}, ${ms.toFixed(3)} ms, ${(flatMs / ms).toFixed(0)} times the flat scan's speed`,
  );
}
