/**
 * Training steps of the controls beside linear attention: alternating, in one process, over random tokens.
 * node bench/controls.mjs [--threads 1] [--rounds 15] [--batch 16] [--time 64] [--width 64]
 * Prints processor and wall milliseconds per step and their ratios to linear attention, medians and minima.
 */
import { parseArgs } from 'node:util';
import * as lm from '../../lm/dist/index.js';
import * as core from '../../tensor-core/dist/index.js';
import { standardRegistry } from '../dist/index.js';

const { values } = parseArgs({
  options: {
    threads: { type: 'string', default: '1' },
    rounds: { type: 'string', default: '15' },
    batch: { type: 'string', default: '16' },
    time: { type: 'string', default: '64' },
    width: { type: 'string', default: '64' },
    only: { type: 'string', multiple: true, default: [] },
  },
});
const [threads, rounds, batch, time, width] = ['threads', 'rounds', 'batch', 'time', 'width'].map((name) =>
  Number(values[name]),
);
const BASELINE = 'linear-attention';
const variants = [
  [BASELINE, {}],
  ['gru', {}],
  ['gru', { blocks: 'plain' }],
  ['lstm', {}],
  ['lstm', { blocks: 'plain' }],
  ['gated-linear-attention', {}],
  ['gated-linear-attention', { decay: 'fixed' }],
  ['gated-delta-net', {}],
  ['mamba-2', {}],
  ['rwkv-7', {}],
  ['no-memory', {}],
].filter(([name]) => name === BASELINE || values.only.length === 0 || values.only.includes(name));

const engine = await core.createEngine('onnx', { threads });
const size = { batch, time, carriesState: false, hasIgnoredTargets: false };
const runners = [];
for (const [name, options] of variants) {
  const contender = standardRegistry.contenders.find((candidate) => candidate.name === name);
  const need = { vocabSize: 64, trainLength: time, longestLength: time };
  const model = contender.create(need, contender.options.parse({ width, ...options }));
  const params = model.init(core.Rng.fromSeed(1));
  const settings = lm.parseTraining({ telemetry: false });
  const step = new lm.TrainingStep(engine, model, size, settings, lm.parameterRules(model, params, settings));
  await step.begin(params);
  const label = [name, ...Object.values(options)].join(' ');
  runners.push({ label, step, parameters: lm.countParameters(params), wall: [], processor: [] });
}

const rng = core.Rng.fromSeed(2);
const tokens = () =>
  core.ndarray(
    Int32Array.from({ length: batch * time }, () => rng.int(64)),
    [batch, time],
    'int32',
  );
const resets = core.ndarray(new Int32Array(batch).fill(1), [batch], 'int32');
for (let round = -2; round < rounds; round++) {
  for (const { step, wall, processor } of runners) {
    const input = { inputs: tokens(), targets: tokens(), resets };
    const [begin, before] = [performance.now(), process.cpuUsage()];
    await step.run([input], { learningRate: 1e-3, dropoutKeys: [core.zeros([2], 'int32')] });
    if (round < 0) continue;
    wall.push(performance.now() - begin);
    const { user, system } = process.cpuUsage(before);
    processor.push((user + system) / 1000);
  }
}
const median = (list) => list.toSorted((a, b) => a - b)[list.length >> 1];
const least = (list) => Math.min(...list);
const [baseline] = runners;
console.log(`${batch} x ${time} tokens, width ${width}, ${threads} thread(s), ${rounds} rounds`);
for (const runner of runners) {
  const columns = ['processor', 'wall'].map((clock) => {
    const [own, base] = [runner[clock], baseline[clock]];
    const milliseconds = [median, least].map((of) => of(own).toFixed(1)).join(' / ');
    const ratios = [median, least].map((of) => (of(own) / of(base)).toFixed(2)).join(' / ');
    return `${clock} ${milliseconds} ms, ${ratios} times`;
  });
  console.log(`${runner.label}: ${runner.parameters} parameters; ${columns.join('; ')}`);
  await runner.step.dispose();
}
await engine.dispose();
