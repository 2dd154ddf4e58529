// node scripts/kill-runs.mjs [KILLS] [SEED] [MECHANISM ...]: trains small models, kills the process at random moments and lets
// it go on, until so many kills have been survived per mechanism. Every run must end with the very bytes of an
// uninterrupted one, and none may be stuck. Default: 200 kills, seed 1, every mechanism that trains.
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const program = fileURLToPath(new URL('../apps/cli/dist/main.js', import.meta.url));
const [kills = '200', seed = '1', ...named] = process.argv.slice(2);
/** Small models; the shared flags make every run save often. */
const MODELS = {
  osam: ['--d-model', '8', '--sketch-dim', '8', '--readout-hidden', '8'],
  rsm: [
    '--hidden-size',
    '8',
    '--num-layers',
    '1',
    '--num-heads',
    '1',
    '--num-memory-slots',
    '2',
    '--window-size',
    '4',
  ],
  'om-arc': [
    '--num-layers',
    '2',
    '--num-heads',
    '2',
    '--dim-input',
    '8',
    '--dim-hidden',
    '16',
    '--dims-key',
    '4',
    '--dims-value',
    '4',
    '--segment-len',
    '4',
    '--state-len',
    '2',
    '--state-update',
    'gated',
  ],
  transformer: ['--layers', '1', '--heads', '1', '--model-width', '8', '--context', '16'],
};
const STEPS = 16;
const COMMON = [
  '--batch-size',
  '2',
  '--seq-len',
  '8',
  '--dataset',
  'default',
  '--sample-every',
  '0',
  '--validate-every',
];
const SHARED = [...COMMON, '10', '--checkpoint-every', '2', '--threads', '1', '--quiet', '--seed', '3'];
/** A run that makes no step in so many kills one after the other is stuck. */
const PATIENCE = 40;
const LIMIT_SECONDS = 120;
/** SIGKILL most of the time; the others must save and end by themselves. */
const SIGNALS = ['SIGKILL', 'SIGKILL', 'SIGKILL', 'SIGTERM', 'SIGINT', 'SIGHUP'];

const random = generator(Number(seed));
const folder = mkdtempSync(join(tmpdir(), 'palimpsest-kills-'));
let failures = 0;
try {
  // Two at a time: most of a short run is the start of a process.
  const names = named.length > 0 ? named : Object.keys(MODELS);
  const lane = async () => {
    for (let name = names.shift(); name !== undefined; name = names.shift()) {
      if (!(await survives(name))) failures += 1;
    }
  };
  await Promise.all([lane(), lane()]);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
process.exitCode = failures > 0 ? 1 : 0;

async function survives(name) {
  const begin = ['train', name, ...MODELS[name], ...SHARED, '--steps', String(STEPS)];
  const start = Date.now();
  const whole = await run([...begin, '--out', join(folder, `${name}-whole`)]);
  if (whole.code !== 0) return say(name, `the uninterrupted run ended with ${whole.code}: ${whole.said}`);
  const length = Date.now() - start;
  const expected = parameters(`${name}-whole`);
  let survived = 0;
  let runs = 0;
  while (survived < Number(kills)) {
    const place = `${name}-${++runs}`;
    let idle = 0;
    for (let step = -1; ; ) {
      const out = join(folder, place);
      const args =
        existsSync(join(out, 'latest')) || existsSync(join(out, 'latest.previous'))
          ? ['train', name, '--load', out, '--steps', String(STEPS), '--threads', '1', '--quiet']
          : [...begin, '--out', out];
      const isLast = survived >= Number(kills);
      const end = await run(
        args,
        isLast
          ? undefined
          : { after: random() * length * 1.1, signal: SIGNALS[Math.floor(random() * SIGNALS.length)] },
      );
      if (end.code === 0) break;
      if (!end.killed) return say(name, `run ${runs} ended by itself with ${end.code}: ${end.said}`);
      survived += 1;
      const reached = stepOf(out);
      idle = reached > step ? 0 : idle + 1;
      step = Math.max(step, reached);
      if (idle > PATIENCE) return say(name, `run ${runs} is stuck at step ${step} after ${idle} kills`);
    }
    if (!parameters(place).equals(expected)) return say(name, `run ${runs} ended with other parameters`);
    const left = readdirSync(join(folder, place)).filter(
      (entry) => !/^(latest|best|metrics\.jsonl|curve\.svg)$/.test(entry),
    );
    if (left.length > 0) return say(name, `run ${runs} left ${left.join(', ')} behind`);
    rmSync(join(folder, place), { recursive: true, force: true });
  }
  console.log(
    `✓ ${name}: ${survived} kills in ${runs} runs, each ended with the bytes of the uninterrupted one`,
  );
  return true;
}

function say(name, what) {
  console.log(`✗ ${name}: ${what}`);
  return false;
}

function parameters(place) {
  return readFileSync(join(folder, place, 'latest', 'model.safetensors'));
}

function stepOf(out) {
  for (const entry of ['latest', 'latest.previous']) {
    const path = join(out, entry, 'training.json');
    if (existsSync(path)) return JSON.parse(readFileSync(path, 'utf8')).step;
  }
  return -1;
}

/** Runs one command line, and kills it after some milliseconds unless it has ended by then. */
function run(args, kill) {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [program, ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
    let said = '';
    let killed = false;
    child.stderr.on('data', (text) => {
      said = `${said}${text}`.slice(-2000);
    });
    const timer =
      kill &&
      setTimeout(() => {
        killed = child.kill(kill.signal);
      }, kill.after);
    const limit = setTimeout(() => child.kill('SIGKILL'), LIMIT_SECONDS * 1000);
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      clearTimeout(limit);
      resolve({ code: code ?? signal, killed, said: said.trim() });
    });
  });
}

/** Uniform numbers in [0, 1) from a seed (mulberry32). */
function generator(state) {
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
