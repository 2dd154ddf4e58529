// What the training loop costs beside the compiled step itself: events, batches, reading scalars, learning rates.
import { performance } from 'node:perf_hooks';
import { createEngine, embedding, linear, Rng, tf, uniformInit } from '@palimpsest/tensor-core';
import { ContiguousLanes, parameterRules, parseTraining, TrainingStep, train } from '../dist/index.js';

const width = 64;
const vocabSize = 64;
const model = {
  name: 'sum',
  config: {},
  vocabSize,
  init: (rng) => ({
    table: uniformInit(rng, [vocabSize, width], 0.5),
    out: uniformInit(rng, [vocabSize, width], 0.1),
  }),
  initState: (_params, batch) => ({ sum: tf.zeros([batch, width]) }),
  forward: (params, tokens, { sum }) => {
    const sums = tf.add(tf.cumsum(embedding(params.table, tokens), 1), tf.expandDims(sum, 1));
    const last = tf.squeeze(tf.slice(sums, [0, tokens.shape[1] - 1, 0], [tokens.shape[0], 1, width]), [1]);
    return { logits: linear(sums, params.out), state: { sum: last } };
  },
};
const rng = Rng.fromSeed(0);
const ids = Int32Array.from({ length: 200_000 }, () => rng.int(vocabSize));
const engine = await createEngine('auto');
const settings = parseTraining({ steps: 300, schedule: 'constant' });
const makeSource = () => new ContiguousLanes(ids, { batch: 16, time: 64 });

async function bare() {
  const source = makeSource();
  const params = model.init(Rng.fromSeed(0));
  const step = new TrainingStep(engine, model, source, settings, parameterRules(model, params, settings));
  await step.begin(params);
  const batch = source.next();
  const dropoutKeys = [rng.key()];
  await step.run([batch], { learningRate: 1e-3, dropoutKeys });
  const start = performance.now();
  for (let i = 0; i < settings.steps; i++) await step.run([batch], { learningRate: 1e-3, dropoutKeys });
  const seconds = (performance.now() - start) / 1000;
  await step.dispose();
  return seconds;
}

async function loop() {
  let start = 0;
  for await (const event of train({
    engine,
    model,
    source: makeSource(),
    settings: { ...settings, steps: 301 },
  })) {
    if (event.type === 'step' && event.step === 1) start = performance.now();
  }
  return (performance.now() - start) / 1000;
}

await bare();
const [alone, whole] = [await bare(), await loop()];
console.log(`engine ${engine.name}, ${settings.steps} steps of 1024 tokens`);
console.log(`compiled step alone: ${((alone / settings.steps) * 1000).toFixed(2)} ms per step`);
console.log(
  `training loop: ${((whole / settings.steps) * 1000).toFixed(2)} ms per step, ${(whole / alone).toFixed(2)}x`,
);
await engine.dispose();
