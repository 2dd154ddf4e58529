// A generation of evolution: members in batches beside members one by one, in one run.
//   node bench/evolution.mjs [--members 16] [--rounds 3]
// On a machine that others use take processor time on one thread: PROCESSOR_TIME=1 PALIMPSEST_THREADS=1.
import { parseArgs } from 'node:util';
import { createTransformer } from '@palimpsest/backbone';
import { createEngine, Rng } from '@palimpsest/tensor-core';
import { evolutionConfig, InProcessRunner, parameterCount, populationModel } from '../dist/index.js';

const { values } = parseArgs({
  options: { members: { type: 'string', default: '16' }, rounds: { type: 'string', default: '3' } },
});
const [members, rounds] = [Number(values.members), Number(values.rounds)];
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
const vectors = Array.from({ length: members }, () => rng.normalArray([size], 0, 0.065).data);
const engine = await createEngine('onnx');

/** Seconds, of the wall or of this process. */
function clock() {
  if (!process.env.PROCESSOR_TIME) return performance.now() / 1000;
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

/** Seconds of a generation, `rounds` times, after one that makes the graphs. */
async function seconds(rows, groups) {
  const runner = new InProcessRunner(engine, populationModel(transformer, params, config, rows));
  const times = [];
  let [kept, first] = [0, 0];
  for (let round = 0; round <= rounds; round++) {
    const start = clock();
    const ends = [];
    for (const part of groups) {
      const { outcomes } = await runner.run({ vectors: part, trials });
      ends.push(...outcomes.flat().flatMap(({ lengths }) => lengths.flat()));
    }
    kept = ends.reduce((sum, length) => sum + length, 0) / ends.length;
    if (round > 0) times.push(clock() - start);
    else first = clock() - start;
  }
  await runner.dispose();
  times.sort((a, b) => a - b);
  return { least: times[0], median: times[Math.floor(times.length / 2)], kept, first };
}

const alone = vectors.map((vector) => [vector]);
const forms = [
  ['one member after the other, sample after sample', 1, alone],
  ['one member after the other, its samples side by side', SAMPLES, alone],
  ['members in batches of 32 texts', 32, [vectors]],
  ['members in batches of 64 texts', 64, [vectors]],
];
console.log(
  `${members} members, ${SAMPLES} samples of ${TOKENS} tokens, ${DECODED} of them decoded, ${transformer.options.layers} layers, ${size} parameters`,
);
let baseline;
for (const [name, rows, groups] of forms) {
  const { least, median, kept, first } = await seconds(rows, groups);
  baseline ??= { least, median };
  console.log(
    `${name}: median ${median.toFixed(1)} s, least ${least.toFixed(1)} s (with graphs ${first.toFixed(1)} s), ${(baseline.median / median).toFixed(2)} (least: ${(baseline.least / least).toFixed(2)}) times as fast; ${kept.toFixed(0)} tokens per head at the end`,
  );
}
await engine.dispose();
