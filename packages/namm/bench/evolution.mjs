// A generation of evolution: all members together beside members one by one, in one run.
//   node bench/evolution.mjs [--members 16] [--rounds 3] [--workers 2]
// On a machine that others use take processor time on one thread: PROCESSOR_TIME=1 PALIMPSEST_THREADS=1, which leaves out --workers.
import { parseArgs } from 'node:util';
import { createTransformer } from '@palimpsest/backbone';
import { createEngine, ndarray, Rng } from '@palimpsest/tensor-core';
import {
  evolutionConfig,
  InProcessRunner,
  manageTransformer,
  nammPolicy,
  ProcessRunner,
  parameterCount,
  populationModel,
} from '../dist/index.js';
import { clock, ratio, summary, takesProcessorTime } from './timing.mjs';

const { values } = parseArgs({
  options: {
    members: { type: 'string', default: '16' },
    rounds: { type: 'string', default: '3' },
    workers: { type: 'string', default: '2' },
  },
});
const [members, rounds, workers] = [Number(values.members), Number(values.rounds), Number(values.workers)];
const [SAMPLES, TOKENS, DECODED] = [4, 2048, 128];
const transformer = createTransformer({
  vocabSize: 512,
  context: TOKENS,
  layers: 4,
  modelWidth: 128,
  heads: 8,
  keyValueHeads: 4,
  mlpWidth: 344,
  norm: 'rms',
  activation: 'swiglu',
});
const rng = Rng.fromSeed(1);
const params = transformer.init(rng);
const config = evolutionConfig({ normalise: false });
const size = parameterCount(config);
const trials = Array.from({ length: SAMPLES }, () => ({
  prompt: Int32Array.from({ length: TOKENS - DECODED }, () => rng.int(512)),
  maxNewTokens: DECODED,
}));
const drawMembers = () => Array.from({ length: members }, () => rng.normalArray([size], 0, 0.065).data);
// Of the generation: no two of them have the same members, whose caches have sizes of their own.
let vectors = drawMembers();
const engine = await createEngine('onnx');

/** One text under one policy, read and written on as any other text. Graphs are shared, as between all texts of a reader. */
function oneByOne() {
  const { updateInterval, maxTokensPerForward } = config;
  const reader = manageTransformer(transformer, nammPolicy(config, { vectors: [vectors[0]] }), {
    updateInterval,
    maxTokensPerForward,
  }).compile(engine, params);
  const answer = async (vector, { prompt, maxNewTokens }) => {
    const texts = reader.read(1, { policy: nammPolicy(config, { vectors: [vector] }) });
    const ids = [];
    let read = prompt;
    while (ids.length < maxNewTokens) {
      const logits = await texts.read(ndarray(read, [1, read.length], 'int32'));
      const row = await logits.data();
      logits.dispose();
      const best = row.reduce((most, value, id) => (value > row[most] ? id : most), 0);
      ids.push(best);
      read = Int32Array.of(best);
    }
    await texts.dispose();
    return ids;
  };
  const generation = async () => {
    const answers = [];
    for (const vector of vectors) for (const trial of trials) answers.push(await answer(vector, trial));
    return answers;
  };
  return { generation, dispose: () => reader.dispose() };
}

function together(runner) {
  const generation = async () => {
    const { outcomes } = await runner.run({ vectors, trials });
    return outcomes.flat().map(({ answer }) => Array.from(answer));
  };
  return { generation, dispose: () => runner.dispose() };
}

const model = populationModel(transformer, params, config);
const forms = [
  { name: 'members one by one', ...oneByOne() },
  { name: 'all together in one process', ...together(new InProcessRunner(engine, model)) },
];
if (workers > 0 && !takesProcessorTime) {
  const runner = new ProcessRunner(model, { workers });
  forms.push({ name: `all together in ${workers} processes, as evolution runs them`, ...together(runner) });
}
console.log(
  `${members} members, ${SAMPLES} samples of ${TOKENS} tokens, ${DECODED} of them decoded, ${transformer.options.layers} layers, ${size} parameters`,
);
const times = forms.map(() => []);
for (let round = 0; round <= rounds; round++) {
  vectors = drawMembers();
  let expected;
  for (const [i, { name, generation }] of forms.entries()) {
    const start = clock();
    const answers = JSON.stringify(await generation());
    // The first one makes most of the graphs.
    if (round > 0) times[i].push(clock() - start);
    expected ??= answers;
    if (answers !== expected) throw new Error(`${name}: other answers than one by one`);
  }
  if (round === 0) console.log('graphs are made');
}
const baseline = summary(times[0]);
for (const [i, { name, dispose }] of forms.entries()) {
  const own = summary(times[i]);
  const [median, least] = [own.median, own.least].map((time) => (time / 1000).toFixed(1));
  console.log(`${name}: median ${median} s, least ${least} s, ${ratio(baseline, own)} times as fast`);
  await dispose();
}
await engine.dispose();
