import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { repositoryRoot, workspacesOf } from './support/workspaces.js';

const execute = promisify(execFile);
const copy = mkdtempSync(join(tmpdir(), 'palimpsest-added-'));
afterAll(() => rmSync(copy, { recursive: true, force: true }));

const toy = fileURLToPath(new URL('./support/added-mechanism', import.meta.url));
const tsup = join(repositoryRoot, 'node_modules', 'tsup', 'dist', 'cli-default.js');

/** The repository with one folder more, one line more in the list of mechanisms, and a dependency on it. */
beforeAll(async () => {
  const isWanted = (path: string) => !/[/\\](golden|reports|bench|\.turbo)$/.test(path);
  for (const folder of ['packages', 'apps']) {
    cpSync(join(repositoryRoot, folder), join(copy, folder), {
      recursive: true,
      verbatimSymlinks: true,
      filter: isWanted,
    });
  }
  for (const file of ['tsup.base.ts', 'tsconfig.base.json', 'package.json']) {
    cpSync(join(repositoryRoot, file), join(copy, file));
  }
  symlinkSync(join(repositoryRoot, 'node_modules'), join(copy, 'node_modules'));
  cpSync(toy, join(copy, 'packages', 'slate'), { recursive: true });
  link('slate', ['base', 'lm', 'tensor-core']);
  link('harness', ['slate']);
  const zod = join('packages', 'harness', 'node_modules', 'zod');
  symlinkSync(join(copy, zod), join(copy, 'packages', 'slate', 'node_modules', 'zod'));
  edit(
    'packages/harness/package.json',
    '"@palimpsest/lm"',
    '"@palimpsest/slate": "workspace:*",\n    "@palimpsest/lm"',
  );
  edit(
    'packages/harness/src/mechanisms.ts',
    'import ',
    "import { mechanism as slate } from '@palimpsest/slate/mechanism';\nimport ",
  );
  edit(
    'packages/harness/src/mechanisms.ts',
    'readonly Mechanism[] = [',
    'readonly Mechanism[] = [\n  slate,',
  );
  await build('slate', 'src/mechanism.ts', '--format', 'esm');
  await build('harness', '--no-dts', '--format', 'esm');
}, 240_000);

function link(from: string, packages: readonly string[]): void {
  const scope = join(copy, 'packages', from, 'node_modules', '@palimpsest');
  mkdirSync(scope, { recursive: true });
  for (const name of packages) symlinkSync(join(copy, 'packages', name), join(scope, name));
}

function edit(path: string, search: string, replacement: string): void {
  const text = readFileSync(join(copy, path), 'utf8');
  expect(text).toContain(search);
  writeFileSync(join(copy, path), text.replace(search, replacement));
}

const build = (name: string, ...args: string[]) =>
  execute(process.execPath, [tsup, ...args], { cwd: join(copy, 'packages', name) });

async function palimpsest(...args: string[]) {
  const program = join(copy, 'apps', 'cli', 'dist', 'main.js');
  const { stdout } = await execute(process.execPath, [program, ...args, '--json'], {
    cwd: copy,
    maxBuffer: 2 ** 24,
  });
  return JSON.parse(stdout);
}

describe('a mechanism of one folder and one line', () => {
  it('is listed and explained', async () => {
    expect(await palimpsest('ls', 'models')).toContainEqual(
      expect.objectContaining({ name: 'slate', kind: 'trained' }),
    );
    expect(await palimpsest('describe', 'slate')).toMatchObject({
      mechanism: 'slate',
      tasks: expect.arrayContaining(['mqar']),
    });
  });

  it('is trained and described', async () => {
    const flags = ['--width', '4', '--steps', '3', '--engine', 'cpu', '--out', 'run'];
    expect(await palimpsest('train', 'slate', ...flags)).toMatchObject({ step: 3 });
    expect(await palimpsest('info', 'run')).toMatchObject({
      model: 'slate',
      config: { width: 4 },
      stateBytes: 16,
    });
  });

  it('keeps the golden cases of its folder', async () => {
    expect(await palimpsest('parity', '--system', 'slate', '--engine', 'cpu')).toMatchObject({
      passed: 1,
      failed: 0,
    });
  });

  it('takes part in the profiles, in a process of its own, and stands in the report', async () => {
    const flags = [
      '--profile',
      'smoke',
      '--model',
      'slate',
      '--task',
      'mqar',
      '--engine',
      'cpu',
      '--out',
      'out',
    ];
    expect(await palimpsest('eval', ...flags)).toMatchObject({ done: 1, failed: 0 });
    expect(readFileSync(join(copy, 'out', 'report.html'), 'utf8')).toContain('Slate of the test');
  });
});

it('starts from every package there is', () => {
  expect(workspacesOf('packages', copy)).toHaveLength(workspacesOf('packages').length + 1);
});
