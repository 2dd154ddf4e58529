// Where our side's time goes, by kind of node, from the runtime's own profile:
//   node bench/pytorch/profile.mjs --only gpt --work train [--threads 1] [--calls 8]
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { createEngine } from '../../packages/tensor-core/dist/index.js';
import { models } from './models.mjs';
import { prepareOurs } from './ours.mjs';

const { values } = parseArgs({
  options: {
    only: { type: 'string', default: 'gpt' },
    work: { type: 'string', default: 'train' },
    threads: { type: 'string', default: '1' },
    calls: { type: 'string', default: '8' },
  },
});
const folder = await mkdtemp(join(tmpdir(), 'profile-'));
const calls = Number(values.calls);

// Every session from here on writes a profile.
const require = createRequire(new URL('../../packages/tensor-core/package.json', import.meta.url));
const ort = require('onnxruntime-node');
const sessions = [];
const create = ort.InferenceSession.create.bind(ort.InferenceSession);
ort.InferenceSession.create = async (model, options) => {
  const profileFilePrefix = join(folder, `session-${sessions.length}`);
  const session = await create(model, { ...options, enableProfiling: true, profileFilePrefix });
  sessions.push(session);
  return session;
};

const engine = await createEngine('onnx', { threads: Number(values.threads) });
const { run, ids } = await prepareOurs(engine, values.work, models[values.only]);
const prefix = [...ids.slice(0, models[values.only].works[values.work].prompt ?? 0)];
for (let call = 0; call < 2; call++) await run(prefix);
const times = [];
for (let call = 0; call < calls; call++) times.push(await run(prefix));
console.log(
  `${values.only}, ${values.work}: ${times.toSorted((a, b) => a - b)[calls >> 1].toFixed(2)} ms a call while profiled\n`,
);
console.log('| graph | nodes a call | ms a call in nodes | by kind |');
console.log('| --- | --- | --- | --- |');
for (const [index, session] of sessions.entries()) {
  session.endProfiling();
  const files = await import('node:fs').then(({ readdirSync }) => readdirSync(folder));
  const file = files.find((name) => name.startsWith(`session-${index}_`));
  if (!file) continue;
  const events = JSON.parse(await readFile(join(folder, file), 'utf8'));
  const runs = events.filter(({ name }) => name === 'model_run');
  const first = runs.at(-calls)?.ts ?? 0;
  const nodes = events.filter(
    ({ cat, ts, name }) => cat === 'Node' && name.endsWith('_kernel_time') && ts >= first,
  );
  const counted = Math.min(runs.length, calls);
  const kinds = new Map();
  for (const { dur, args } of nodes) kinds.set(args.op_name, (kinds.get(args.op_name) ?? 0) + dur);
  const total = [...kinds.values()].reduce((sum, dur) => sum + dur, 0);
  const shares = [...kinds]
    .sort(([, a], [, b]) => b - a)
    .slice(0, 12)
    .map(([kind, dur]) => `${kind} ${((100 * dur) / total).toFixed(1)} %`);
  console.log(
    `| ${index} | ${(nodes.length / counted).toFixed(0)} | ${(total / counted / 1000).toFixed(2)} | ${shares.join(', ')} |`,
  );
}
await engine.dispose();
await rm(folder, { recursive: true });
