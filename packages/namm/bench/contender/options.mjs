// The options of the policy beside the default: each evolved alike on the recall of `evolve.mjs`, and judged on the same held-out texts.
//   node bench/contender/options.mjs [--generations 12]
import { parseArgs } from 'node:util';
import { createTransformer } from '@palimpsest/backbone';
import { mean } from '@palimpsest/base';
import { GeneratedExamples } from '@palimpsest/lm';
import { createEngine, ndarray, Rng } from '@palimpsest/tensor-core';
import {
  evolutionConfig,
  evolveNamm,
  InProcessRunner,
  manageTransformer,
  nammPolicy,
  parameterCount,
  populationModel,
  recalibrate,
  warmStart,
} from '../../dist/index.js';
import { BUDGET, example, LENGTH, learnedRecall, task, WATCH } from './recall.mjs';

const { values } = parseArgs({ options: { generations: { type: 'string', default: '12' } } });
const [TEXTS, CALIBRATION] = [256, 16];
const SETTINGS = {
  ...{ popSize: 16, samplesPerTask: 8, validationSamples: 64, seed: 1, initSigma: 0.2 },
  ...{ maxIters: Number(values.generations), evalInterval: Number(values.generations) },
};
const OPTIONS = {
  default: {},
  'windows of 4 and 8': { scales: [4, 8] },
  'blocks of 4 first': { hierarchy: { block: 4 } },
  'warm start': {},
};
const engine = await createEngine('auto', { threads: 1 });
const { learner, params } = await learnedRecall(engine, () => {});
const held = Array.from({ length: TEXTS }, (_, index) => example(Rng.fromSeed(3 * 2 ** 20 + index)));

/** Statistics of the features are those of the full cache, and stay, so that all begin with the same. */
async function evolved(name) {
  const selection = { kind: 'binary', cacheSize: BUDGET };
  const config = evolutionConfig({ ...WATCH, ...OPTIONS[name], selection, normalise: { freezeAfter: 0 } });
  const runner = new InProcessRunner(engine, populationModel(learner, params, config, 128));
  const texts = Array.from({ length: CALIBRATION }, (_, index) => task.sample('train', index).trial.prompt);
  const zeros = { config, parameters: new Float32Array(parameterCount(config)) };
  const { statistics } = await recalibrate(zeros, runner, texts);
  const start = name === 'warm start' ? await descended(config, statistics) : undefined;
  let parameters;
  const stages = [{ tasks: [task] }];
  for await (const event of evolveNamm({ config, runner, stages, settings: SETTINGS, start, statistics })) {
    if (event.type === 'end') ({ parameters } = event);
  }
  await runner.dispose();
  return { config, parameters, statistics };
}

async function descended(config, statistics) {
  const source = new GeneratedExamples([example], { name: 'recall', batch: 16, time: LENGTH, seed: 5 });
  const model = createTransformer({ ...learner.options, evictable: true, capacity: LENGTH });
  const settings = { steps: 60, learningRate: 2e-2, warmupSteps: 5, seed: 1, telemetry: false };
  for await (const event of warmStart({
    engine,
    model,
    params,
    source,
    config,
    statistics,
    price: 0.02,
    settings,
  })) {
    if (event.type === 'end') return event.params.policy.data;
  }
}

/** Share of right answers of every text, and the mean size over updates. */
async function judged({ config, parameters, statistics }, schedule) {
  const policy = nammPolicy(config, { vectors: [parameters], statistics });
  const reader = manageTransformer(learner, policy, schedule).compile(engine, params);
  const sizes = [];
  const onUpdate = ({ layers }) => sizes.push(mean(layers.map(({ lengths }) => mean([...lengths.data]))));
  const texts = reader.read(TEXTS, { onUpdate });
  const tokens = Int32Array.from(held.flatMap(({ inputs }) => [...inputs]));
  const { data, shape } = await texts.readAll(ndarray(tokens, [TEXTS, LENGTH], 'int32'));
  await texts.dispose();
  await reader.dispose();
  const width = shape[2];
  const guess = (row, at) => {
    const logits = data.subarray((row * LENGTH + at) * width, (row * LENGTH + at + 1) * width);
    return logits.indexOf(logits.reduce((a, b) => Math.max(a, b)));
  };
  const shares = held.map(({ targets }, row) =>
    mean([...targets].flatMap((id, at) => (id < 0 ? [] : [guess(row, at) === id ? 100 : 0]))),
  );
  return { shares, updates: sizes.length, size: mean(sizes) };
}

const error = (values) =>
  Math.sqrt(mean(values.map((value) => (value - mean(values)) ** 2)) / (values.length - 1));
let first;
function report(name, { shares, updates, size }) {
  first ??= shares;
  const gain = shares.map((share, text) => share - first[text]);
  console.log(
    `| ${name} | ${mean(shares).toFixed(1)} ± ${error(shares).toFixed(1)} | ${mean(gain).toFixed(1)} ± ${error(gain).toFixed(1)} | ${size.toFixed(1)} | ${updates} | ${(process.cpuUsage().user / 1e6).toFixed(0)} |`,
  );
}
const { updateInterval, maxTokensPerForward, hopLength } = WATCH;
const fixed = { updateInterval, maxTokensPerForward };
console.log('| policy | right, % | beside the default | tokens per head | updates | processor, s, so far |');
for (const name of Object.keys(OPTIONS)) {
  const policy = await evolved(name);
  report(name, await judged(policy, fixed));
  if (name !== 'default') continue;
  const adaptive = { tailShare: 0.5, least: updateInterval, hopLength };
  report('the default, adaptive', await judged(policy, { ...fixed, adaptive }));
  report(
    'the default, adaptive from a hop on',
    await judged(policy, { ...fixed, adaptive: { ...adaptive, least: hopLength } }),
  );
  const everything = { ...policy, parameters: new Float32Array(policy.parameters.length) };
  report('the newest alone', await judged(everything, fixed));
}
await engine.dispose();
