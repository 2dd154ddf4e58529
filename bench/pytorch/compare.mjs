// Training, reading and writing beside PyTorch 2, eager and compiled, in one run with turns taken; ratios above 1 say that ours is
// faster. Both sides start from the same weights and are held against each other before anything is timed. Needs Python with
// torch, which nothing else here does, and a C++ compiler for what is compiled:
//   python3 -m venv /tmp/torch && /tmp/torch/bin/pip install torch numpy
//   node bench/pytorch/compare.mjs --python /tmp/torch/bin/python [--threads 1] [--rounds 5] [--only gpt] [--work decode] [--no-compile]
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { createEngine, writeSafetensors } from '../../packages/tensor-core/dist/index.js';
import { models } from './models.mjs';
import { prepareOurs } from './ours.mjs';
import { startPython } from './python.mjs';

const { values } = parseArgs({
  allowNegative: true,
  options: {
    python: { type: 'string', default: 'python3' },
    threads: { type: 'string', default: '1' },
    rounds: { type: 'string', default: '5' },
    only: { type: 'string', multiple: true, default: [] },
    work: { type: 'string', multiple: true, default: [] },
    compile: { type: 'boolean', default: true },
  },
});
const [threads, rounds] = [Number(values.threads), Number(values.rounds)];
/** Of the largest of the numbers that are compared: what sums of other orders may differ by, steps of AdamW between them. */
const MOST_APART = 2e-3;

/** Milliseconds between turns: threads of the side whose turn is over wait for more work, busily, on the cores of the other. */
const BETWEEN = 50;

const median = (list) => list.toSorted((a, b) => a - b)[list.length >> 1];
const least = (list) => Math.min(...list);

/** Largest distance between two lists, as a share of the largest number. */
function apart(ours, theirs) {
  const largest = ours.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  return ours.reduce((most, value, at) => Math.max(most, Math.abs(value - theirs[at])), 0) / largest;
}

/** One line of the table: both sides from the same weights, held against each other, then in turn. */
async function compareWork(engine, python, folder, name, work) {
  const comparison = models[name];
  const { size, prompt = 0 } = comparison.works[work];
  const { arrays, context, ids, check, run, dispose, parameters } = await prepareOurs(
    engine,
    work,
    comparison,
  );
  const weights = join(folder, `${name}-${work}.safetensors`);
  await writeSafetensors(weights, arrays);
  const expected = await check(ids);
  const options = comparison.theirs(work, context);
  const request = { model: comparison.model, what: work, size, options, weights, ids: [...ids] };
  const modes = values.compile && (comparison.compiles?.(work) ?? true) ? ['eager', 'compiled'] : ['eager'];
  const [times, problems] = [{ ours: [], eager: [], compiled: [] }, []];
  let distance = 0;
  for (const mode of [...modes]) {
    const answer = await python.ask({ ...request, do: 'prepare', compile: mode === 'compiled' });
    const difference = answer.error ? 0 : apart(Array.from(expected), answer.values);
    if (!answer.error && !(difference <= MOST_APART)) {
      throw new Error(`${name}, ${work}, ${mode}: the two sides are ${difference} apart`);
    }
    distance = Math.max(distance, difference);
    if (!answer.error) continue;
    problems.push(`${name}, ${work}, ${mode}: ${answer.error}`);
    modes.splice(modes.indexOf(mode), 1);
  }
  const prefix = [...ids.slice(0, prompt)];
  for (let round = -1; round < rounds; round++) {
    await pause(BETWEEN);
    const own = await run(prefix);
    if (round >= 0) times.ours.push(own);
    for (const mode of modes) {
      await pause(BETWEEN);
      const { milliseconds, error } = await python.ask({
        ...{ do: 'time', model: comparison.model, what: work, compile: mode === 'compiled', prefix },
      });
      if (error) throw new Error(`${name}, ${work}, ${mode}: ${error}`);
      if (round >= 0) times[mode].push(milliseconds);
    }
  }
  await python.ask({ do: 'forget' });
  await dispose();
  const shown = (list) => (list.length ? `${median(list).toFixed(2)} (${least(list).toFixed(2)})` : '-');
  const ratio = (list) =>
    list.length
      ? `${(median(list) / median(times.ours)).toFixed(2)} (${(least(list) / least(times.ours)).toFixed(2)})`
      : '-';
  const cells = [
    name,
    `${work} ${size.join(' × ')}`,
    `${(parameters / 1e3).toFixed(0)} k`,
    distance.toExponential(0),
  ];
  const timed = [
    ...[times.ours, times.eager, times.compiled].map(shown),
    ...[times.eager, times.compiled].map(ratio),
  ];
  console.log(`| ${[...cells, ...timed].join(' | ')} |`);
  for (const problem of problems) console.log(`| ${problem} |`);
}

const engine = await createEngine('onnx', { threads });
const python = startPython(values.python, threads);
const { torch } = await python.begun;
const folder = await mkdtemp(join(tmpdir(), 'beside-pytorch-'));
console.log(
  `PyTorch ${torch}, ${engine.describe().runtime}, ${threads} thread(s), ${rounds} rounds; wall milliseconds\n`,
);
console.log(
  '| model | work | weights | apart | ours | eager | compiled | eager / ours, median (least) | compiled / ours |',
);
console.log('| --- | --- | --- | --- | --- | --- | --- | --- | --- |');
const isWanted = (list, name) => list.length === 0 || list.includes(name);
try {
  for (const name of Object.keys(models).filter((one) => isWanted(values.only, one))) {
    for (const work of Object.keys(models[name].works).filter((one) => isWanted(values.work, one))) {
      await compareWork(engine, python, folder, name, work);
    }
  }
} finally {
  python.end();
  await rm(folder, { recursive: true });
  await engine.dispose();
}
