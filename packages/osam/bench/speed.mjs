/**
 * Speed and memory against the reference's algorithm (token by token, dense value memory, transforms of length m), both
 * compiled on the same engine in the same run. `node bench/speed.mjs [train|decode|memory] [engine]`
 */
import {
  adamw,
  clipByGlobalNorm,
  createEngine,
  crossEntropy,
  ndarray,
  Rng,
  tf,
  treeMap,
  valueAndGradient,
  zeros,
} from '../../tensor-core/dist/index.js';
import { createOsamModel, emptyState, stateBytesOf } from '../dist/index.js';
import { baselineTrainer, denseForward, denseState } from './baseline.mjs';

const [what = 'all', engineName = 'onnx'] = process.argv.slice(2);
const wants = (part) => what === 'all' || what === part;
const vocabSize = 86;

function tokens(rows, columns, rng) {
  const data = Int32Array.from({ length: rows * columns }, () => rng.int(vocabSize));
  return ndarray(data, columns === 0 ? [rows] : [rows, columns], 'int32');
}

const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];

async function time(run, repeats) {
  const times = [];
  for (let i = 0; i < repeats; i++) {
    const start = performance.now();
    await run();
    times.push(performance.now() - start);
  }
  return median(times);
}

/** Milliseconds of one training step in the fast form. */
async function fastTraining(engine, model, batch, length, repeats) {
  const rng = Rng.fromSeed(1);
  const optimizer = adamw({ betas: [0.9, 0.95] });
  const host = model.init(rng);
  let params = engine.put(host);
  let state = engine.put(optimizer.init(host));
  const step = engine.compile(
    (p, s, x, y) => {
      const { value, gradients } = valueAndGradient((q) => {
        const { logits } = model.forward(q, x, model.initState(q, batch), { training: true });
        return crossEntropy(tf.reshape(logits, [-1, vocabSize]), tf.reshape(y, [-1]));
      }, p);
      const clipped = clipByGlobalNorm(gradients, 1);
      const next = optimizer.update(p, clipped.gradients, s, { learningRate: tf.scalar(1e-3) });
      return { params: next.parameters, state: next.state, loss: value };
    },
    { name: 'train', donate: [0, 1] },
  );
  const x = tokens(batch, length, rng);
  const run = async () => {
    const result = await step(params, state, x, x);
    params = result.params;
    state = result.state;
    result.loss.dispose();
  };
  await run();
  const ms = await time(run, repeats);
  dispose(params, state);
  await step.dispose();
  return ms;
}

function dispose(...trees) {
  for (const tree of trees) treeMap(tree, (leaf) => leaf.dispose());
}

/** Milliseconds of one training step of the reference, from a few of its tokens. */
async function referenceTraining(engine, model, batch, length, measured) {
  const rng = Rng.fromSeed(1);
  const host = model.init(rng);
  const { optimizer, tokenStep, update } = baselineTrainer(engine, model, length);
  const params = engine.put(host);
  let gradients = engine.put(treeMap(host, (leaf) => zeros(leaf.shape)));
  let state = denseState(model, batch);
  const token = ndarray(
    Int32Array.from({ length: batch }, () => rng.int(vocabSize)),
    [batch],
    'int32',
  );
  const run = async () => {
    const result = await tokenStep(params, gradients, state, token, token);
    gradients = result.gradients;
    state = result.state;
    result.loss.dispose();
  };
  await run();
  const perToken = await time(run, measured);
  const moments = engine.put(optimizer.init(host));
  const start = performance.now();
  const next = await update(params, gradients, moments);
  const perUpdate = performance.now() - start;
  dispose(next.params, next.state, state);
  await tokenStep.dispose();
  await update.dispose();
  return perToken * length + perUpdate;
}

async function training(engine) {
  const shapes = [
    [32, 64, 64, 2048, 10],
    [8, 128, 128, 4096, 20],
    [2, 2048, 64, 2048, 30],
  ];
  console.log('training step            fast ms   tokens/s   reference ms   tokens/s   ratio (wanted)');
  for (const [batch, length, dModel, sketchDim, wanted] of shapes) {
    const model = createOsamModel({ vocabSize, dModel, sketchDim, mode: 'parity' });
    const slow = await referenceTraining(engine, model, batch, length, 5);
    const fast = await fastTraining(engine, model, batch, length, 5);
    const rate = (ms) => ((batch * length * 1000) / ms).toFixed(0);
    console.log(
      `${`${batch} x ${length} @ ${dModel}/${sketchDim}`.padEnd(22)} ${fast.toFixed(1).padStart(9)} ${rate(fast).padStart(10)} ${slow.toFixed(0).padStart(14)} ${rate(slow).padStart(10)} ${(slow / fast).toFixed(1).padStart(7)} (${wanted})`,
    );
  }
}

/** A decoder of one text after a prompt of `context` tokens: `run` makes one token. */
async function fastDecoder(engine, model, host, context) {
  const prefill = engine.compile((p, x, s) => model.forward(p, x, s, { training: false }).state, {
    name: 'prefill',
    freeze: [0],
  });
  const step = engine.compile((p, x, s) => model.step(p, x, s, true), {
    name: 'step',
    freeze: [0],
    donate: [2],
  });
  const prompt = tokens(1, context, Rng.fromSeed(2));
  return decoder(step, host, await prefill(host, prompt, emptyState(model.options, model.plans, 1)));
}

function denseDecoder(engine, model, host) {
  const step = engine.compile((p, x, s) => denseForward(model, p, x, s), {
    name: 'dense step',
    freeze: [0],
    donate: [2],
  });
  return decoder(step, host, denseState(model, 1));
}

function decoder(step, host, start) {
  const token = ndarray(Int32Array.of(3), [1], 'int32');
  let state = start;
  const run = async () => {
    const result = await step(host, token, state);
    state = result.state;
    result.logits.dispose();
  };
  const bytes = () => {
    const sizes = [];
    treeMap(state, (leaf) => sizes.push(leaf.byteLength));
    return sizes.reduce((sum, size) => sum + size, 0);
  };
  return { run, bytes };
}

/** Median milliseconds of two decoders that take turns, ten tokens each, so that both meet the same machine. */
async function takeTurns(first, second, turns = 20) {
  const times = [[], []];
  for (let turn = -1; turn < turns; turn++) {
    for (const [index, { run }] of [first, second].entries()) {
      for (let i = 0; i < 10; i++) {
        const start = performance.now();
        await run();
        // The first turn warms up.
        if (turn >= 0) times[index].push(performance.now() - start);
      }
    }
  }
  return times.map(median);
}

async function decoding(engine) {
  console.log('\ndecode, batch 1          fast ms   tokens/s   reference ms   ratio (wanted)');
  for (const [dModel, sketchDim] of [
    [64, 2048],
    [128, 4096],
  ]) {
    const model = createOsamModel({ vocabSize, dModel, sketchDim, mode: 'parity' });
    const host = model.init(Rng.fromSeed(1));
    const [fast, slow] = await takeTurns(
      await fastDecoder(engine, model, host, 128),
      denseDecoder(engine, model, host),
    );
    console.log(
      `${`${dModel}/${sketchDim}`.padEnd(22)} ${fast.toFixed(3).padStart(9)} ${(1000 / fast).toFixed(0).padStart(10)} ${slow.toFixed(2).padStart(14)} ${(slow / fast).toFixed(1).padStart(7)} (5)`,
    );
  }
  const model = createOsamModel({ vocabSize, dModel: 64, sketchDim: 2048, mode: 'parity' });
  const host = model.init(Rng.fromSeed(1));
  const short = await fastDecoder(engine, model, host, 128);
  const long = await fastDecoder(engine, model, host, 4096);
  const [few, many] = await takeTurns(short, long);
  console.log(
    `\ncontext 4096 against 128: time x ${(many / few).toFixed(2)} (1.3), state ${long.bytes()} and ${short.bytes()} bytes`,
  );
  console.log(
    `state by configuration: ${stateBytesOf(model.options, model.plans)} bytes; dense: ${4 * 2 * 2048 * 65} bytes`,
  );
}

async function main() {
  const engine = await createEngine(engineName);
  console.log(`engine ${engine.describe().runtime}, ${engine.describe().threads} threads\n`);
  if (wants('train')) await training(engine);
  if (wants('decode')) await decoding(engine);
  await engine.dispose();
}

await main();
