/**
 * Memory and time of training steps over many lengths, each of which has a graph of its own.
 * `node bench/shapes.mjs [--against CHECKOUT] [--batch 12] [--longest 512] [--shapes 16] [--rounds 4] [--graph-bytes N]`
 * With `--against`, a second build of this repository takes turns with this one, step by step, each in a process of its own.
 */
import { fork } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { trainingSteps } from './training.mjs';

const here = fileURLToPath(new URL('../../..', import.meta.url));
const { values: options } = parseArgs({
  options: {
    against: { type: 'string' },
    batch: { type: 'string', default: '12' },
    longest: { type: 'string', default: '512' },
    shapes: { type: 'string', default: '16' },
    rounds: { type: 'string', default: '4' },
    'graph-bytes': { type: 'string' },
    child: { type: 'string' },
  },
});
const [batch, longest, shapes, rounds] = ['batch', 'longest', 'shapes', 'rounds'].map((name) =>
  Number(options[name]),
);
const lengths = Array.from({ length: shapes }, (_, index) => Math.round((longest * (index + 1)) / shapes));
const VOCABULARY = 65;

/** Resident bytes of this process, now and at most. */
function resident() {
  const status = readFileSync('/proc/self/status', 'utf8');
  const field = (name) => 1024 * Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)[1]);
  return { now: field('VmRSS'), most: field('VmHWM') };
}

/** Trains one step of the length that it is sent, and answers with what it took. */
async function child(root) {
  const load = (name) => import(pathToFileURL(`${root}/packages/${name}/dist/index.js`).href);
  const [core, lm] = [await load('tensor-core'), await load('lm')];
  const { createOsamModel, presets } = await load('osam');
  const bound = options['graph-bytes'];
  const engine = await core.createEngine('onnx', bound ? { graphBytes: Number(bound) } : {});
  const model = createOsamModel(presets.text({ vocabSize: VOCABULARY }));
  const { run } = await trainingSteps({ lm, core }, engine, model, { batch, time: lengths[0] });
  process.on('message', async (length) => {
    const [started, cpu] = [performance.now(), process.cpuUsage()];
    const { loss } = await run({ batch, time: length });
    const { user, system } = process.cpuUsage(cpu);
    const wall = performance.now() - started;
    process.send({ loss, wall, cpu: (user + system) / 1000, memory: engine.memory(), resident: resident() });
  });
  process.send('ready');
}

const answer = (worker) => new Promise((resolve) => worker.once('message', resolve));
const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1];
const sum = (values) => values.reduce((total, value) => total + value, 0);
const gigabytes = (bytes) => `${(bytes / 1e9).toFixed(2)} GB`;

async function report() {
  const roots = options.against ? [here, options.against] : [here];
  const builds = [];
  for (const root of roots) {
    const worker = fork(process.argv[1], [...process.argv.slice(2), '--child', root]);
    await answer(worker);
    builds.push({ root, worker, steps: new Map(lengths.map((length) => [length, []])) });
  }
  for (let round = 0; round < rounds; round++) {
    for (const length of lengths) {
      for (const { worker, steps } of builds) {
        const done = answer(worker);
        worker.send(length);
        steps.get(length).push(await done);
      }
    }
  }
  const [own, other] = builds.map(({ root, worker, steps }) => {
    worker.kill();
    const warm = (field) =>
      sum([...steps.values()].map((list) => median(list.slice(1).map((one) => one[field]))));
    const last = steps.get(lengths.at(-1)).at(-1);
    console.log(
      `${root}: ${shapes} lengths up to ${longest}, batch ${batch}: resident ${gigabytes(last.resident.now)}, at most ` +
        `${gigabytes(last.resident.most)}; the engine says ${JSON.stringify(last.memory)}; sum of the medians of a step ` +
        `${warm('cpu').toFixed(0)} ms of processor time, ${warm('wall').toFixed(0)} ms; last loss ${last.loss.toFixed(5)}`,
    );
    return { cpu: warm('cpu'), wall: warm('wall'), most: last.resident.most };
  });
  if (other) {
    const ratio = (field) => (own[field] / other[field]).toFixed(2);
    console.log(`ratio: processor time ${ratio('cpu')}, time ${ratio('wall')}, memory ${ratio('most')}`);
  }
}

if (options.child) await child(options.child);
else await report();
