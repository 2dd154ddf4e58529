// Options of the policy beside the default, each from a descent of the first two stages: held-out texts, equal mean size.
//   node bench/planted-facts/options.mjs --text tinyshakespeare.txt --out runs/planted-facts [--scales FILE]
// Adaptive updates and blocks are set on the policy that the default's descent found; --scales names one of several windows.
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { mean } from '@palimpsest/base';
import { createEngine } from '@palimpsest/tensor-core';
import { loadPolicy } from '../../dist/index.js';
import { Bench, SEEDS, shifted } from './judge.mjs';
import { CONTEXT, folderOf, openBase, openText, SCHEDULE } from './setup.mjs';

const { values } = parseArgs({
  options: { text: { type: 'string' }, out: { type: 'string' }, scales: { type: 'string' } },
});
const engine = await createEngine('auto');
const { model, params } = await openBase(values.out, 0);
const bench = new Bench(engine, model, params, openText(values.text));
const found = await loadPolicy(join(folderOf(values.out, 'start', 0), 'stage-2.safetensors'));
const adaptive = { tailShare: 0.5, least: SCHEDULE.updateInterval / 2, hopLength: found.config.hopLength };
const OPTIONS = [
  { name: 'default', policy: found },
  { name: 'adaptive', policy: found, schedule: { ...SCHEDULE, adaptive } },
  {
    name: 'blocks of 16 first',
    policy: { ...found, config: { ...found.config, hierarchy: { block: 16 } } },
  },
  ...(values.scales ? [{ name: 'windows of 16, 32 and 64', policy: await loadPolicy(values.scales) }] : []),
];

/** Right answers of each text, and the mean size, at the threshold that gives an eighth of the context. */
async function judged({ policy, schedule }) {
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
for (const { name, ...option } of OPTIONS) {
  const own = await judged(option);
  first ??= own;
  const beside = (key) => own[key].map((value, text) => value - first[key][text]);
  console.log(
    `| ${name} | ${signed(own.accuracy, 100, 1)} | ${signed(beside('accuracy'), 100, 1)} | ${signed(beside('nats'), 1, 4)} | ${own.kept.toFixed(0)} |`,
  );
}
await engine.dispose();
