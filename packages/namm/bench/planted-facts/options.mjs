// Options of the policy beside the default, each from a descent of the first two stages: held-out texts, equal mean size.
//   node bench/planted-facts/options.mjs --text tinyshakespeare.txt --out runs/planted-facts [--only scales]
// Adaptive updates and blocks are set on the policy that the default's descent found; several windows descend by themselves.
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { mean } from '@palimpsest/base';
import { createEngine } from '@palimpsest/tensor-core';
import { loadPolicy } from '../../dist/index.js';
import { Bench, shifted } from './bench.mjs';
import { SEEDS } from './judge.mjs';
import { CONTEXT, folderOf, openBase, openText, policyConfig, SCHEDULE } from './setup.mjs';
import { stagePath, warmStartPolicy } from './warm-start.mjs';

const { values } = parseArgs({
  options: {
    text: { type: 'string' },
    out: { type: 'string' },
    only: { type: 'string' },
  },
});
const only = values.only?.split(',');
const engine = await createEngine('auto');
const { model, params } = await openBase(values.out, 0);
const text = openText(values.text);
const bench = new Bench(engine, model, params, text);
/** The policy that a descent of two stages finds. */
async function descended(folder, options) {
  const run = { engine, text, out: values.out, seed: 0, search: 0, report: () => {}, signal: undefined };
  await warmStartPolicy({ ...run, folder, stages: 2, config: policyConfig(options) });
  return loadPolicy(stagePath(folder, 2));
}

const found = await descended(folderOf(values.out, 'start', 0));
const adaptive = { tailShare: 0.5, least: SCHEDULE.updateInterval / 2, hopLength: found.config.hopLength };
const OPTIONS = [
  { key: 'default', name: 'default', policy: () => found },
  {
    key: 'adaptive',
    name: 'adaptive: half of what was kept, 64 at least',
    policy: () => found,
    schedule: { ...SCHEDULE, adaptive },
  },
  {
    key: 'hierarchy',
    name: 'blocks of 16 first',
    policy: () => ({ ...found, config: { ...found.config, hierarchy: { block: 16 } } }),
  },
  {
    key: 'scales',
    name: 'windows of 16, 32 and 64',
    policy: () => descended(join(values.out, 'options-scales'), { scales: [16, 32, 64] }),
  },
];

/** Right answers of each text, and the mean size, at the threshold that gives an eighth of the context. */
async function judged({ policy: policyOf, schedule }) {
  const policy = await policyOf();
  const shift = await bench.shiftFor(policy, CONTEXT / 8, schedule);
  let cells;
  await bench.withPolicy(
    shifted(policy, shift),
    async (reader) => {
      cells = [];
      for (const seed of SEEDS) cells.push(await bench.measure(reader, { task: 'plantedFacts', seed }));
    },
    schedule,
  );
  return {
    accuracy: cells.flatMap(({ accuracy }) => accuracy),
    nats: cells.flatMap(({ nats }) => nats),
    kept: mean(cells.map(({ kept }) => kept)),
  };
}

const error = (list) => Math.sqrt(mean(list.map((value) => (value - mean(list)) ** 2)) / (list.length - 1));
const signed = (list, factor, digits) =>
  `${(factor * mean(list)).toFixed(digits)} ± ${(factor * error(list)).toFixed(digits)}`;
console.log('| options | right, % | beside the default | nats beside the default | tokens per head |');
let first;
for (const { key, name, ...option } of OPTIONS) {
  if (only && key !== 'default' && !only.includes(key)) continue;
  const own = await judged(option);
  first ??= own;
  const beside = (figure) => own[figure].map((value, text) => value - first[figure][text]);
  console.log(
    `| ${name} | ${signed(own.accuracy, 100, 1)} | ${signed(beside('accuracy'), 100, 1)} | ${signed(beside('nats'), 1, 4)} | ${own.kept.toFixed(0)} |`,
  );
}
await engine.dispose();
