/**
 * What the session of `palimpsest generate` costs per token beside this package's fastest decoding: the frozen, donated step
 * alone, with the graph without a read where no position is due. Both take turns, so that both meet the same machine.
 * `node bench/decoding.mjs [engine]`. The aim is a ratio of at most 1.15.
 */
import { Session } from '../../lm/dist/index.js';
import { createEngine, ndarray, Rng } from '../../tensor-core/dist/index.js';
import { createOsamModel, emptyState, presets } from '../dist/index.js';

const [engineName = 'onnx'] = process.argv.slice(2);
const ROUNDS = 60;
const TOKENS = 10;
const vocabSize = 86;
const models = {
  'reference, d 64, m 2048': presets.reference({ vocabSize }),
  'improved, d 128, m 4096': presets.improved({ vocabSize, dModel: 128, sketchDim: 4096 }),
  'improved, every 4th position': presets.improved({ vocabSize, dModel: 128, sketchDim: 4096, kUpdate: 4 }),
  'text, 4 blocks of d 192': presets.text({ vocabSize }),
};

/** Processor and wall time of a piece of work, ms. */
async function timed(work) {
  const [start, cpu] = [performance.now(), process.cpuUsage()];
  await work();
  const { user, system } = process.cpuUsage(cpu);
  return { wall: performance.now() - start, cpu: (user + system) / 1000 };
}

/** The step itself, as bare as it can be called: the state donated, the likeliest token fed back. */
function bareDecoder(engine, model, params) {
  const every = model.options.kUpdate;
  const graphs = [true, false].map((reads) =>
    engine.compile((p, x, s) => model.step(p, x, s, reads), { freeze: [0], donate: [2] }),
  );
  let state = emptyState(model.options, model.plans, 1);
  let [id, position] = [3, 0];
  return async () => {
    const graph = graphs[position % every === 0 ? 0 : 1];
    const result = await graph(params, ndarray(Int32Array.of(id), [1], 'int32'), state);
    const logits = await result.logits.data();
    result.logits.dispose();
    state = result.state;
    position += 1;
    id = logits.indexOf(Math.max(...logits));
  };
}

async function sessionDecoder(engine, model, params) {
  const session = await Session.create({ engine, model, params });
  await session.prefill([3]);
  const sampling = { temperature: 0 };
  return async () => {
    await session.next(sampling);
    await session.logits();
  };
}

const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1];

const engine = await createEngine(engineName, { threads: 1 });
console.log(`${engine.describe().runtime}, one thread; medians of ${ROUNDS} rounds of ${TOKENS} tokens`);
console.log(
  `${'model'.padEnd(32)} session ms   bare ms   processor time: ratio of minima, of medians (at most 1.15)`,
);
for (const [name, options] of Object.entries(models)) {
  const model = createOsamModel(options);
  const params = model.init(Rng.fromSeed(1));
  const decoders = [
    await sessionDecoder(engine, model, params),
    bareDecoder(engine, model, engine.put(params)),
  ];
  const times = [[], []];
  for (let round = -3; round < ROUNDS; round++) {
    for (const [index, next] of decoders.entries()) {
      const taken = await timed(async () => {
        for (let token = 0; token < TOKENS; token++) await next();
      });
      if (round >= 0) times[index].push(taken);
    }
  }
  const [session, bare] = times.map((list) => ({
    wall: median(list.map(({ wall }) => wall)) / TOKENS,
    cpu: median(list.map(({ cpu }) => cpu)) / TOKENS,
    // What a busy machine disturbs least.
    least: Math.min(...list.map(({ cpu }) => cpu)) / TOKENS,
  }));
  console.log(
    `${name.padEnd(32)} ${session.wall.toFixed(3).padStart(10)} ${bare.wall.toFixed(3).padStart(9)} ${(session.least / bare.least).toFixed(2).padStart(7)} ${(session.cpu / bare.cpu).toFixed(2).padStart(7)}`,
  );
}
await engine.dispose();
