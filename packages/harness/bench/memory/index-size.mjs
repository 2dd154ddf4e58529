/**
 * Retrieval among many memories: the store of AMS v4 with its index over three bundles, filled with directions around those of texts that the
 * session model has read, or with random ones, and asked the model's questions. Processor time of the search alone and of the whole, with
 * the question read by the model; recall is against weighted sums of all cosines. A store is built once and kept, a file for each size, in a
 * folder of temporary files; what was built until it was interrupted is gone on with. Half a million
 * takes some minutes of one core, 2 GB of memory and 0.4 GB of disk; to ask it again takes a minute.
 * node --single-threaded-gc --max-old-space-size=12000 bench/memory/index-size.mjs [--random] [--kept FOLDER] [sizes, default 10000 100000 1000000]
 */
import { existsSync, mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { KeyValueMemory, TextModel } from '../../../ams-v4/dist/index.js';
import { MemStore } from '../../../fiber-geometry/dist/index.js';
import { createEngine, Rng } from '../../../tensor-core/dist/index.js';
import { generateSession, loadPocket, standardPack } from '../../dist/index.js';

const { values, positionals } = parseArgs({
  options: {
    random: { type: 'boolean', default: false },
    kept: { type: 'string', default: join(tmpdir(), 'palimpsest-index-size') },
  },
  allowPositionals: true,
});
const sizes = positionals.map(Number);
if (sizes.length === 0) sizes.push(10_000, 100_000, 1_000_000);
const [FACTS, QUESTIONS, CHECKED, K] = [320, 100, 50, 4];
/** Length of the noise beside a direction of length 1. */
const NOISE = 0.5;
/** Memories that a search is asked for, four times as many candidates; the graph looks at 768 at least. */
const CANDIDATES = [8, 256, 512];
const BUNDLES = ['time', 'topic', 'ctx'];
/** Memories of one seed, and those after which the store is saved. */
const [CHUNK, SAVED] = [10_000, 250_000];

/** CPU milliseconds of this process, which other programs on the machine do not lengthen as they do wall time. */
const cpu = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};

const engine = await createEngine('auto', { threads: 1 });
const { frozen, adapters } = await loadPocket();
const text = new TextModel(engine, frozen);
const memory = new KeyValueMemory(text, adapters);
const { store } = memory;
const session = generateSession(standardPack(), { seed: 1, facts: FACTS, queries: QUESTIONS, split: 'all' });
await memory.writeMany(session.facts.map((fact) => fact.text));
const seen = store
  .allEntries()
  .map(({ timeDirn, topicDirn, ctxDirn }) => ({ time: timeDirn, topic: topicDirn, ctx: ctxDirn }));

/** The store that answers for that of the memory, and what the memory asks of it. */
let many = store;
let searching = 0;
const asked = [];
for (const name of ['get', 'fusedScores', 'scoreFused']) store[name] = (...call) => many[name](...call);
Object.defineProperty(store, 'length', { get: () => many.length });
store.searchFused = (...call) => {
  const before = cpu();
  const hits = many.searchFused(...call);
  searching = cpu() - before;
  asked.push(call);
  return hits;
};

let rng = Rng.fromSeed(1);
const near = (direction) => {
  const sigma = NOISE / Math.sqrt(direction.length);
  // Plain lists: memory for typed ones is slow to come by when there is much of it.
  const moved = Array.from(direction, (value) => (values.random ? 0 : value) + sigma * rng.normal());
  const length = Math.hypot(...moved);
  return moved.map((value) => value / length);
};

function addOne(to) {
  if (to.length % CHUNK === 0) rng = Rng.fromSeed(1 + to.length / CHUNK);
  const { time, topic, ctx } = seen[rng.int(seen.length)];
  const [timeDirn, topicDirn, ctxDirn] = [near(time), near(topic), near(ctx)];
  const bases = { timeBase: timeDirn, topicBase: topicDirn, ctxBase: ctxDirn };
  const fibers = { timeFiber: [0], topicFiber: [0], ctxFiber: [0] };
  to.add({ timeDirn, topicDirn, ctxDirn, ...bases, ...fibers });
}

/** The store of a size, from its file or filled and saved. */
async function filled(size) {
  const file = join(values.kept, `${values.random ? 'random' : 'clustered'}-${size}.safetensors`);
  let start = cpu();
  const made = existsSync(file) ? await MemStore.load(file) : new MemStore(store.config);
  if (made.length > 0) console.log(`${made.length} of ${size} read in ${told([(cpu() - start) / 1000])} s`);
  start = cpu();
  const before = made.length;
  let saving = 0;
  while (made.length < size) {
    addOne(made);
    if (made.length % SAVED !== 0 && made.length < size) continue;
    const now = cpu();
    await made.save(file);
    saving += cpu() - now;
  }
  const each = (1000 * (cpu() - start - saving)) / (size - before);
  if (size > before)
    console.log(`${size - before} added, ${each.toFixed(0)} µs each; saved in ${told([saving / 1000])} s`);
  return made;
}

/** The best by all sums, without an index. */
function exact(query, weights) {
  const best = [];
  for (const entry of many) {
    let score = 0;
    for (const bundle of BUNDLES) {
      const [own, other] = [entry[`${bundle}Dirn`], query[bundle]];
      let dot = 0;
      for (let i = 0; i < own.length; i++) dot += own[i] * other[i];
      score += weights[bundle] * dot;
    }
    if (best.length === K && score <= best.at(-1).score) continue;
    best.push({ id: entry.mid, score });
    best.sort((a, b) => b.score - a.score);
    if (best.length > K) best.pop();
  }
  return new Set(best.map(({ id }) => id));
}

const told = (values) => {
  const sorted = values.toSorted((a, b) => a - b);
  return `${sorted[Math.floor(sorted.length / 2)].toFixed(2)} (${sorted[0].toFixed(2)})`;
};

mkdirSync(values.kept, { recursive: true });
for (const size of sizes.toSorted((a, b) => a - b)) {
  many = await filled(size);
  const questions = session.queries.map((query) => query.text);
  for (const question of questions) await memory.retrieve([question]);
  const [alone, whole] = [[], []];
  asked.length = 0;
  for (const question of questions) {
    const start = cpu();
    await memory.retrieve([question]);
    whole.push(cpu() - start);
    alone.push(searching);
  }
  const truths = asked.slice(0, CHECKED).map(([query, weights]) => exact(query, weights));
  console.log(
    `${size} ${values.random ? 'random' : 'clustered'} memories: search ${told(alone)} ms, with the question read ${told(whole)} ms, median (least) of CPU time`,
  );
  for (const count of CANDIDATES) {
    const times = [];
    let found = 0;
    truths.forEach((truth, i) => {
      const [query, weights] = asked[i];
      const start = cpu();
      const hits = many.searchFused(query, weights, count);
      times.push(cpu() - start);
      found += hits.slice(0, K).filter(({ id }) => truth.has(id)).length;
    });
    console.log(`  best of ${count}: ${told(times)} ms, recall@${K} ${(found / (K * CHECKED)).toFixed(3)}`);
  }
}
await memory.dispose();
await text.dispose();
await engine.dispose();
