// Training, reading and decoding beside PyTorch 2, eager and compiled, in one run with turns taken; ratios above 1 say that ours is
// faster. Needs Python with torch, which nothing else here does:
//   python3 -m venv /tmp/torch && /tmp/torch/bin/pip install torch numpy
//   node bench/pytorch/compare.mjs --python /tmp/torch/bin/python [--threads 1] [--rounds 5] [--only gpt] [--no-compile]
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { standardRegistry } from '../../packages/harness/dist/index.js';
import * as lm from '../../packages/lm/dist/index.js';
import * as core from '../../packages/tensor-core/dist/index.js';

const { values } = parseArgs({
  allowNegative: true,
  options: {
    python: { type: 'string', default: 'python3' },
    threads: { type: 'string', default: '1' },
    rounds: { type: 'string', default: '5' },
    only: { type: 'string', multiple: true, default: [] },
    compile: { type: 'boolean', default: true },
  },
});
const [threads, rounds] = [Number(values.threads), Number(values.rounds)];
const VOCABULARY = 65;

const architecture = (name, preset, options) =>
  standardRegistry.architectures.find((one) => one.name === name).create(VOCABULARY, options, preset);
const contender = (name, options, length) => {
  const one = standardRegistry.contenders.find((candidate) => candidate.name === name);
  const need = { vocabSize: VOCABULARY, trainLength: length, longestLength: length };
  return one.create(need, one.options.parse(options));
};
/** Per model: ours, and sizes of a training batch, of a text that is read at once, and of one that is written. */
const models = {
  gpt: {
    train: [12, 64],
    read: [512],
    decode: [128],
    ours: (context) =>
      architecture('transformer', 'shakespeare', {
        layers: 4,
        heads: 4,
        modelWidth: 256,
        context,
        positions: 'learned',
        activation: 'gelu',
      }),
  },
  gru: {
    train: [16, 64],
    read: [512],
    decode: [128],
    ours: (context) => contender('gru', { width: 256, blocks: 'plain' }, context),
  },
  'linear-attention': {
    train: [16, 256],
    read: [512],
    decode: [128],
    ours: (context) => contender('linear-attention', { width: 256 }, context),
  },
  osam: {
    train: [32, 64],
    read: [128],
    decode: [32],
    ours: () => architecture('osam', 'reference', { dModel: 64, sketchDim: 2048, readoutHidden: 128 }),
  },
};

/** A process of worker.py, asked one thing at a time. */
function startPython() {
  const script = fileURLToPath(new URL('worker.py', import.meta.url));
  const child = spawn(values.python, [script, String(threads)], { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const answer = async () => {
    const { value, done } = await lines.next();
    if (done) throw new Error('Python ended; is torch installed there?');
    return JSON.parse(value);
  };
  return {
    begun: answer(),
    ask: (request) => {
      child.stdin.write(`${JSON.stringify(request)}\n`);
      return answer();
    },
    end: () => child.stdin.end(),
  };
}

const engine = await core.createEngine('onnx', { threads });
const rng = core.Rng.fromSeed(2);
const ids = (count) => Int32Array.from({ length: count }, () => rng.int(VOCABULARY));

/** One call of ours per kind of work. */
const ours = {
  async train(make, [batch, time]) {
    const model = make(time);
    const params = model.init(core.Rng.fromSeed(1));
    const settings = lm.parseTraining({ telemetry: false });
    const size = { batch, time, carriesState: false, hasIgnoredTargets: false };
    const step = new lm.TrainingStep(
      engine,
      model,
      size,
      settings,
      lm.parameterRules(model, params, settings),
    );
    await step.begin(params);
    const tokens = () => core.ndarray(ids(batch * time), [batch, time], 'int32');
    const resets = core.ndarray(new Int32Array(batch).fill(1), [batch], 'int32');
    const keys = [core.zeros([2], 'int32')];
    return {
      parameters: lm.countParameters(params),
      run: () =>
        step.run([{ inputs: tokens(), targets: tokens(), resets }], {
          learningRate: 1e-3,
          dropoutKeys: keys,
        }),
    };
  },
  async read(make, [time]) {
    const { decoder, parameters } = await decoderOf(make(time));
    const run = async () => {
      await decoder.reset();
      await decoder.read([...ids(time)]);
    };
    return { parameters, run };
  },
  async decode(make, [time]) {
    const { decoder, parameters } = await decoderOf(make(time));
    const run = async () => {
      await decoder.reset();
      for (let i = 0, id = 0; i < time; i++) id = likeliest(await decoder.read([id]));
    };
    return { parameters, run };
  },
};

async function decoderOf(model) {
  const params = model.init(core.Rng.fromSeed(1));
  return { decoder: await lm.createDecoder(engine, model, params), parameters: lm.countParameters(params) };
}

function likeliest(logits) {
  let result = 0;
  for (let id = 1; id < logits.length; id++) if (logits[id] > logits[result]) result = id;
  return result;
}

const median = (list) => list.toSorted((a, b) => a - b)[list.length >> 1];
const least = (list) => Math.min(...list);
const python = startPython();
const { torch } = await python.begun;
console.log(
  `PyTorch ${torch}, ${engine.describe().runtime}, ${threads} thread(s), ${rounds} rounds; wall milliseconds\n`,
);
console.log(
  '| model | work | weights ours, theirs | ours | eager | compiled | eager / ours, median (least) | compiled / ours |',
);
console.log('| --- | --- | --- | --- | --- | --- | --- | --- |');
for (const [name, { ours: make, ...sizes }] of Object.entries(models)) {
  if (values.only.length > 0 && !values.only.includes(name)) continue;
  for (const [what, size] of Object.entries(sizes)) {
    const own = await ours[what](make, size);
    for (let i = 0; i < 2; i++) await own.run();
    const context = what === 'train' ? size[1] : size[0];
    const modes = values.compile ? [false, true] : [false];
    const request = (compile, repeats) => ({ model: name, what, size, compile, context, warmup: 2, repeats });
    const times = { ours: [], false: [], true: [] };
    let parameters;
    const errors = {};
    for (let round = -1; round < rounds; round++) {
      const begin = performance.now();
      await own.run();
      if (round >= 0) times.ours.push(performance.now() - begin);
      for (const compile of modes) {
        if (errors[compile]) continue;
        const { milliseconds, error, parameters: count } = await python.ask(request(compile, 1));
        if (error) errors[compile] = error;
        else if (round >= 0) times[compile].push(...milliseconds);
        parameters ??= count;
      }
    }
    const shown = (list) => (list.length ? `${median(list).toFixed(2)} (${least(list).toFixed(2)})` : '-');
    const ratio = (list) =>
      list.length
        ? `${(median(list) / median(times.ours)).toFixed(2)} (${(least(list) / least(times.ours)).toFixed(2)})`
        : '-';
    const counts = [own.parameters, parameters]
      .map((count) => `${((count ?? 0) / 1e3).toFixed(0)} k`)
      .join(', ');
    console.log(
      `| ${name} | ${what} ${size.join(' × ')} | ${counts} | ${shown(times.ours)} | ${shown(times.false)} | ${shown(times.true)} | ${ratio(times.false)} | ${ratio(times.true)} |`,
    );
    for (const error of Object.values(errors)) console.log(`| | ${error} |`);
  }
}
python.end();
await engine.dispose();
