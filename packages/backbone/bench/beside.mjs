/**
 * The speed of `palimpsest generate` with its usual settings beside that of another build, such as an earlier commit's, over the same
 * weights: time between the tokens that it writes, loading and prompt left out, turns taken.
 *
 *   git clone . /tmp/earlier && (cd /tmp/earlier && git checkout 619b556 && npx pnpm@10.34.8 install &&
 *     npx pnpm@10.34.8 turbo run build --filter=@palimpsest/cli)
 *   node packages/backbone/bench/random-folder.mjs /tmp/random-135m
 *   node packages/backbone/bench/beside.mjs /tmp/random-135m --beside /tmp/earlier [--threads 1] [--rounds 3] [--tokens 128]
 *
 * The other build reads the folder in its only form; this one with `--weights 32bit`, `8bit` and `4bit`, or what `--weights` names.
 */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { fastest, median } from './common.mjs';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    beside: { type: 'string' },
    threads: { type: 'string', default: '1' },
    rounds: { type: 'string', default: '3' },
    tokens: { type: 'string', default: '128' },
    weights: { type: 'string', multiple: true, default: ['32bit', '8bit', '4bit'] },
  },
});
const [model] = positionals;
if (model === undefined || values.beside === undefined) {
  console.error('node packages/backbone/bench/beside.mjs MODEL --beside CHECKOUT');
  process.exit(2);
}

/** The command of a checkout. */
function commandOf(checkout) {
  const folder = join(checkout, 'apps', 'cli');
  const { bin } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  return join(folder, bin.palimpsest);
}

const PROMPT = 'To be';

/** Milliseconds of a token: from the first thing written behind the prompt to the last one. */
function measured(command, words) {
  const tokens = ['--prompt', PROMPT, '--max-new-tokens', values.tokens];
  const child = spawn(process.execPath, [command, 'generate', '--model', model, ...tokens, ...words], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, PALIMPSEST_THREADS: values.threads },
  });
  let [written, said, first, last] = ['', ''];
  child.stderr.on('data', (data) => {
    said += data;
  });
  child.stdout.on('data', (data) => {
    written += data;
    if (written.trim().length <= PROMPT.length) return;
    first ??= performance.now();
    // The line ends when the process does.
    if (String(data).trim().length > 0) last = performance.now();
  });
  return new Promise((resolve, reject) => {
    child.on('close', (code) => {
      if (code === 0 && last > first) resolve((last - first) / (Number(values.tokens) - 1));
      else reject(new Error(`${command} ended with ${code}: ${said}`));
    });
  });
}

const own = commandOf(fileURLToPath(new URL('../../..', import.meta.url)));
const kinds = [
  ['the other build', commandOf(values.beside), []],
  ...values.weights.map((weights) => [weights, own, ['--weights', weights]]),
].map(([name, command, words]) => ({ name, command, words, times: [] }));
for (let round = 0; round < Number(values.rounds); round++) {
  for (const { command, words, times } of kinds) times.push(await measured(command, words));
}

const [other] = kinds;
const shown = (times) => `${median(times).toFixed(1)} (${fastest(times).toFixed(1)})`;
const ratio = ({ times }) =>
  `${(median(other.times) / median(times)).toFixed(1)} (${(fastest(other.times) / fastest(times)).toFixed(1)})`;
console.log(`${values.threads} thread(s), ${values.tokens} tokens, ${values.rounds} runs; median (least)\n`);
console.log('| weights | milliseconds a token | tokens a second | times the other build’s |');
console.log('| --- | --- | --- | --- |');
for (const kind of kinds) {
  const rate = (1000 / median(kind.times)).toFixed(0);
  console.log(`| ${kind.name} | ${shown(kind.times)} | ${rate} | ${kind === other ? '' : ratio(kind)} |`);
}
