/**
 * A frozen decode step whose weights are larger than one message can hold: 494 M parameters in the shape of a 0.5 B
 * checkpoint, random. `node bench/large.mjs [onnx|onnx-web] [layers, default 24]`
 */
import { readFileSync } from 'node:fs';
import { createEngine, ndarray } from '../../tensor-core/dist/index.js';
import { createTransformer, parameterCount } from '../dist/index.js';

const [engineName = 'onnx', layers = '24'] = process.argv.slice(2);
const STEPS = 12;
const options = {
  vocabSize: 151_936,
  modelWidth: 896,
  layers: Number(layers),
  heads: 14,
  keyValueHeads: 2,
  mlpWidth: 4864,
  context: 512,
  positions: 'rotary',
  norm: 'rms',
  activation: 'swiglu',
  tiedHead: true,
};

/** Resident bytes of this process, now and at most, in GiB. */
function resident() {
  const status = readFileSync('/proc/self/status', 'utf8');
  const field = (name) => Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)[1]) / 2 ** 20;
  return `${field('VmRSS').toFixed(2)} GiB resident, ${field('VmHWM').toFixed(2)} at most`;
}

// Numbers of a cheap generator: normal ones would take longer than everything that is measured.
let seed = 1;
function random(shape) {
  const data = new Float32Array(shape.reduce((product, extent) => product * extent, 1));
  for (let index = 0; index < data.length; index++) {
    seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
    data[index] = shape.length === 1 ? 1 : (seed / 2 ** 32 - 0.5) * 0.06;
  }
  return ndarray(data, shape);
}

function randomParameters() {
  const { vocabSize, modelWidth, heads, keyValueHeads, mlpWidth } = options;
  const headWidth = modelWidth / heads;
  const block = () => ({
    attentionNorm: { gain: random([modelWidth]) },
    queryKeyValue: { weight: random([(heads + 2 * keyValueHeads) * headWidth, modelWidth]) },
    output: { weight: random([modelWidth, modelWidth]) },
    mlpNorm: { gain: random([modelWidth]) },
    up: { weight: random([2 * mlpWidth, modelWidth]) },
    down: { weight: random([modelWidth, mlpWidth]) },
  });
  return {
    tokenEmbedding: random([vocabSize, modelWidth]),
    blocks: Array.from({ length: options.layers }, block),
    norm: { gain: random([modelWidth]) },
  };
}

const model = createTransformer(options);
const engine = await createEngine(engineName);
const params = randomParameters();
const gibibytes = (4 * parameterCount(model.options)) / 2 ** 30;
console.log(
  `${engine.describe().runtime}, ${engine.describe().threads} threads; ${(parameterCount(model.options) / 1e6).toFixed(0)} M weights, ${gibibytes.toFixed(2)} GiB; ${resident()}`,
);
const step = engine.compile(model.step, { name: 'step', freeze: [0], donate: [2] });
const initState = engine.compile((tree) => model.initState(tree, 1), { name: 'initState' });
let state = await initState(params);
const times = [];
let id = 1;
for (let index = 0; index < STEPS; index++) {
  const [started, cpu] = [performance.now(), process.cpuUsage()];
  const result = await step(params, ndarray(Int32Array.of(id), [1], 'int32'), state);
  const logits = await result.logits.data();
  result.logits.dispose();
  state = result.state;
  const { user, system } = process.cpuUsage(cpu);
  times.push({ wall: performance.now() - started, cpu: (user + system) / 1000 });
  if (!logits.every(Number.isFinite)) throw new Error(`Step ${index} gave numbers that are not finite.`);
  id = logits.indexOf(logits.reduce((a, b) => Math.max(a, b)));
  if (index === 0) {
    console.log(
      `opened and made the first step in ${times[0].wall.toFixed(0)} ms (${times[0].cpu.toFixed(0)} of processor time); ${resident()}`,
    );
  }
}
const fastest = (key) => Math.min(...times.slice(1).map((time) => time[key]));
console.log(
  `a step: ${fastest('wall').toFixed(0)} ms fastest, ${fastest('cpu').toFixed(0)} of processor time, ${(gibibytes / (fastest('wall') / 1000)).toFixed(1)} GiB of weights a second; ${resident()}`,
);
console.log(`the engine says ${JSON.stringify(engine.memory())}`);
await engine.dispose();
