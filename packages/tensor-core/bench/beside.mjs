// The yardstick GPT's training step beside that of another build of this repository, turns taken in one run:
//   node bench/beside.mjs --beside FOLDER [--rounds 12] [--steps 5]
// FOLDER is a clone at another commit in which `packages/tensor-core` is built. Each build runs in a process of its own.
import { fork } from 'node:child_process';
import { resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';

const here = fileURLToPath(import.meta.url);

/** In the process of one build: answers the number of steps that it is told with their milliseconds. */
async function serve(folder) {
  const at = (file) => import(pathToFileURL(resolve(folder, 'packages/tensor-core', file)).href);
  const [gpt, { createEngine, ndarray, Rng }] = [await at('bench/gpt.mjs'), await at('dist/index.js')];
  const { batch, time, vocabulary } = gpt.shape;
  const rng = Rng.fromSeed(7);
  const ids = () =>
    ndarray(
      Int32Array.from({ length: batch * time }, () => rng.int(vocabulary)),
      [batch, time],
      'int32',
    );
  const [read, targets] = [ids(), ids()];
  const engine = await createEngine('onnx');
  const step = engine.compile(gpt.trainStep, { donate: [0] });
  let state = gpt.initialState(gpt.initialise());
  const advance = async () => {
    const before = performance.now();
    const { loss, norm, state: next } = await step(state, read, targets);
    const value = await loss.item();
    const elapsed = performance.now() - before;
    loss.dispose();
    norm.dispose();
    state = next;
    return { elapsed, loss: value };
  };
  process.on('message', async (count) => {
    const steps = [];
    for (let i = 0; i < count; i++) steps.push(await advance());
    process.send(steps);
  });
  process.send('ready');
}

function side(folder) {
  const child = fork(here, ['--serve', folder]);
  const answer = () =>
    new Promise((resolved, rejected) => {
      child.once('message', resolved);
      child.once('exit', (code) => rejected(new Error(`${folder}: its process ended with ${code}`)));
    });
  const ready = answer();
  return {
    ready,
    run: async (count) => {
      const steps = answer();
      child.send(count);
      return await steps;
    },
    stop: () => child.kill(),
  };
}

const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1];

async function compare({ beside, rounds, steps }) {
  const sides = [side(resolve(here, '../../../..')), side(resolve(beside))];
  await Promise.all(sides.map(({ ready }) => ready));
  const times = sides.map(() => []);
  const losses = sides.map(() => []);
  for (let round = 0; round <= rounds; round++) {
    for (const [i, { run }] of sides.entries()) {
      const done = await run(steps);
      losses[i].push(done.at(-1).loss);
      // The first turn builds the graph.
      if (round > 0) times[i].push(...done.map(({ elapsed }) => elapsed));
      // Threads of the runtime wait for more work busily for a while.
      await new Promise((resolved) => setTimeout(resolved, 50));
    }
  }
  for (const { stop } of sides) stop();
  const [ours, theirs] = times.map((values) => ({ median: median(values), least: Math.min(...values) }));
  const line = ({ median, least }) => `median ${median.toFixed(1)} ms, least ${least.toFixed(1)} ms`;
  console.log(`this build: ${line(ours)}`);
  console.log(`the other: ${line(theirs)}`);
  console.log(
    `${(theirs.median / ours.median).toFixed(2)} times as fast by median, ${(theirs.least / ours.least).toFixed(2)} by the least; ` +
      `losses after ${(rounds + 1) * steps} steps ${losses.map((values) => values.at(-1).toFixed(5)).join(' and ')}`,
  );
}

const { values } = parseArgs({
  options: {
    serve: { type: 'string' },
    beside: { type: 'string' },
    rounds: { type: 'string', default: '12' },
    steps: { type: 'string', default: '5' },
  },
});
if (values.serve) await serve(values.serve);
else if (values.beside) {
  await compare({ beside: values.beside, rounds: Number(values.rounds), steps: Number(values.steps) });
} else {
  console.error('Give the folder of another build: --beside FOLDER.');
  process.exitCode = 2;
}
