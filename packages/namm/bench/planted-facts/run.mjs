// A small transformer, a policy evolved for its cache, and every policy judged on it: one command, which goes on where it
// was stopped.
//   node bench/planted-facts/run.mjs --text tinyshakespeare.txt --out runs/planted-facts [--steps train,start,evolve,judge,report]
// One thread: PALIMPSEST_THREADS=1. Without --text the facts are planted in stories that are written here.
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { createEngine } from '@palimpsest/tensor-core';
import { evolvePolicies } from './evolve-policy.mjs';
import { judge, resultsAt } from './judge.mjs';
import { writeReport } from './report.mjs';
import { openText } from './setup.mjs';
import { trainBase } from './train-base.mjs';
import { warmStartPolicies } from './warm-start.mjs';

const STEPS = {
  train: trainBase,
  start: warmStartPolicies,
  evolve: evolvePolicies,
  judge,
  report: writeReport,
};
const { values } = parseArgs({
  options: {
    text: { type: 'string' },
    out: { type: 'string', default: 'runs/planted-facts' },
    results: { type: 'string' },
    steps: { type: 'string', default: Object.keys(STEPS).join() },
    seed: { type: 'string', default: '0' },
    searches: { type: 'string', default: '0,1,2' },
    shares: { type: 'string' },
    policies: { type: 'string' },
  },
});
const stop = new AbortController();
process.once('SIGINT', () => stop.abort());
process.once('SIGTERM', () => stop.abort());
const started = performance.now();
const engine = await createEngine('auto');
const seed = Number(values.seed);
if (!Number.isInteger(seed)) throw new Error(`--seed is a whole number, but '${values.seed}' was given.`);
const searches = values.searches.split(',').map(Number);
if (!searches.every(Number.isInteger)) {
  throw new Error(
    `--searches are whole numbers, seeds of descent and evolution, but '${values.searches}' was given.`,
  );
}
const context = {
  ...{ engine, text: openText(values.text), out: values.out, seed, searches, signal: stop.signal },
  results: resultsAt(values.results ?? join(values.out, 'results.json')),
  only: values.policies?.split(','),
  shares: values.shares?.split(',').map(Number),
  report: (line) => {
    const processor = process.cpuUsage().user / 1e6;
    console.log(
      `${((performance.now() - started) / 1000).toFixed(0)} s (${processor.toFixed(0)} s of processor) ${line}`,
    );
  },
};
try {
  for (const step of values.steps.split(',')) {
    if (!STEPS[step])
      throw new Error(`There is no step '${step}'; the steps are ${Object.keys(STEPS).join(', ')}.`);
    if ((await STEPS[step](context)) === false) break;
  }
} finally {
  await engine.dispose();
}
