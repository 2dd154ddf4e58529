import { spawn } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { emptyFolder } from './support/cli.js';
import { tiny } from './support/trained.js';

const bin = fileURLToPath(new URL('../bin', import.meta.url));

/** Starts the command with a program in its place, and interrupts it once that has written something. */
async function interrupted(program: string) {
  const folder = emptyFolder();
  cpSync(bin, join(folder, 'bin'), { recursive: true });
  mkdirSync(join(folder, 'dist'));
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
  writeFileSync(join(folder, 'dist', 'main.js'), program);
  const child = spawn(process.execPath, [join(folder, 'bin', 'palimpsest.js')]);
  let errors = '';
  child.stderr.on('data', (data) => {
    errors += data;
  });
  child.stdout.once('data', () => child.kill('SIGINT'));
  const [code, signal] = await new Promise<[number | null, string | null]>((resolve) => {
    child.on('close', (...end) => resolve(end));
  });
  return { code, signal, errors };
}

it('Ctrl-C while the program is being loaded says so, and ends as it does later', async () => {
  const loading =
    "process.stdout.write('loading'); await new Promise((resolve) => setTimeout(resolve, 60_000));";
  expect(await interrupted(loading)).toEqual({ code: 130, signal: null, errors: 'interrupted\n' });
});

it('once it is loaded, Ctrl-C is for the verb, which saves', async () => {
  const folder = join(emptyFolder(), 'run');
  const child = spawn(process.execPath, [
    join(bin, 'palimpsest.js'),
    'train',
    'osam',
    ...tiny,
    '--steps',
    '100000',
    '--out',
    folder,
  ]);
  const metrics = join(folder, 'metrics.jsonl');
  const timer = setInterval(() => {
    if (!existsSync(metrics) || readFileSync(metrics, 'utf8').split('\n').length < 4) return;
    clearInterval(timer);
    child.kill('SIGINT');
  }, 50);
  const code = await new Promise((resolve) => {
    child.on('close', resolve);
  });
  expect(code).toBe(130);
  expect(existsSync(join(folder, 'latest', 'model.safetensors'))).toBe(true);
});
