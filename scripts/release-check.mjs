// `node scripts/release-check.mjs`, after a build: publishes every package to a registry of its own on this machine, installs
// `@palimpsest/cli` and `@palimpsest/osam` from it into empty folders, as a user would, and runs the first example of the README
// and the first commands, on this Node.js and on Deno, Bun and other versions of Node.js (`--node PATH`) that are here.
// Packages of others come from the registry that npm is set to. It takes minutes and a gigabyte of a temporary folder.
import { execFile, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { startRegistry } from './local-registry.mjs';
import { root } from './run.mjs';
import { workspaces } from './workspaces.mjs';

const SCOPE = '@palimpsest';
const { values } = parseArgs({ options: { node: { type: 'string', multiple: true, default: [] } } });
const scratch = mkdtempSync(join(tmpdir(), 'palimpsest-release-'));
const onWindows = process.platform === 'win32';
const execute = promisify(execFile);

/** The environment of a user's shell: nothing of pnpm or npm that started this. */
const environment = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !/^(npm_|pnpm_|turbo_|node_path$)/i.test(name)),
);

/** Runs a command to its end and gives what it printed; a failure ends everything, with its words. */
async function command(cwd, program, ...args) {
  const env = { ...environment, ONNXRUNTIME_NODE_INSTALL: 'skip' };
  try {
    return await execute(program, args, { cwd, env, shell: onWindows, maxBuffer: 2 ** 26 });
  } catch (error) {
    throw new Error(`${program} ${args.join(' ')} failed in ${cwd}:\n${error.stdout}\n${error.stderr}`);
  }
}

/** Says to npm in a folder where our packages are. */
function npmrc(folder, { address }) {
  const lines = [`${SCOPE}:registry=${address}`, `${address.replace('http:', '')}:_authToken=anyone`];
  writeFileSync(join(folder, '.npmrc'), `${lines.join('\n')}\n`);
}

async function publishAll(registry) {
  const tarballs = join(scratch, 'tarballs');
  mkdirSync(tarballs);
  npmrc(tarballs, registry);
  for (const { folder, manifest } of workspaces()) {
    if (manifest.private) continue;
    const packed = await command(folder, 'npm', 'pack', '--json', '--pack-destination', tarballs);
    const [{ filename }] = JSON.parse(packed.stdout.slice(packed.stdout.indexOf('[')));
    await command(tarballs, 'npm', 'publish', filename.replace('@', '').replace('/', '-'));
    console.log(`published ${manifest.name} ${manifest.version}`);
  }
}

function bytesOf(folder) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + statSync(join(entry.parentPath ?? entry.path, entry.name)).size, 0);
}

/** An empty folder with some of our packages in it, and what they weigh. */
async function installed(name, registry, packages) {
  const folder = join(scratch, name);
  mkdirSync(folder);
  npmrc(folder, registry);
  writeFileSync(join(folder, 'package.json'), '{ "private": true, "type": "module" }\n');
  await command(folder, 'npm', 'install', '--no-audit', '--no-fund', ...packages);
  const megabytes = (bytesOf(join(folder, 'node_modules')) / 1e6).toFixed(0);
  console.log(`${name}: ${packages.join(' ')} take ${megabytes} MB`);
  return folder;
}

/** The first example of a README and what it prints. */
function firstExample(readme) {
  const found = /^```ts\n([\s\S]*?)^```\n[\s\S]*?^```text\n([\s\S]*?)^```$/m.exec(
    readFileSync(readme, 'utf8'),
  );
  return { code: found[1], output: found[2].trim() };
}

/** Other programs that run JavaScript, where they are here. */
function runtimes() {
  const isHere = (program) =>
    (process.env.PATH ?? '')
      .split(delimiter)
      .some((folder) => spawnSync(join(folder, program), ['--version']).status === 0);
  return [
    [process.execPath],
    ...values.node.map((path) => [path]),
    ...(isHere('deno') ? [['deno', 'run', '--allow-all', '--node-modules-dir=manual']] : []),
    ...(isHere('bun') ? [['bun', 'run']] : []),
  ];
}

async function checkLibrary(folder, { hasNative }) {
  const { code, output } = firstExample(join(root, 'packages', 'osam', 'README.md'));
  // The README's engine is the exact one; a user's first is the fastest.
  writeFileSync(join(folder, 'example.mjs'), code);
  writeFileSync(join(folder, 'fastest.mjs'), code.replace("createEngine('cpu')", 'createEngine()'));
  for (const [program, ...args] of runtimes()) {
    for (const file of ['example.mjs', 'fastest.mjs']) {
      const { stdout, stderr } = await command(folder, program, ...args, file);
      const printed = stdout.trim();
      const isTold = stderr.includes("'onnx', cannot be loaded");
      if (file === 'fastest.mjs' && isTold === hasNative)
        throw new Error(`${program} ${file} said of the native runtime: '${stderr}'`);
      if (printed !== output) throw new Error(`${program} ${file} printed\n${printed}\nfor\n${output}`);
    }
    console.log(`the example of @palimpsest/osam: ${[program, ...args].join(' ')}`);
  }
}

async function checkCommands(folder) {
  writeFileSync(join(folder, 'my.txt'), 'the cat sat on the mat, and the dog lay by the door. '.repeat(100));
  const palimpsest = (...args) => command(folder, 'npx', '--no-install', 'palimpsest', ...args);
  await palimpsest('doctor');
  await palimpsest(
    'train',
    'osam',
    '--text-path',
    'my.txt',
    '--steps',
    '20',
    '--out',
    'runs/my-run',
    '--quiet',
  );
  const { stdout: text } = await palimpsest(
    'generate',
    'runs/my-run',
    '--prompt',
    'the',
    '--max-new-tokens',
    '20',
  );
  if (text.trim().length < 10) throw new Error(`palimpsest generate wrote '${text}'`);
  await palimpsest('export', 'runs/my-run', '--out', 'step.onnx');
  console.log('the commands of @palimpsest/cli: doctor, train, generate, export');
}

const registry = await startRegistry();
try {
  await publishAll(registry);
  const library = [`${SCOPE}/osam`, `${SCOPE}/lm`, `${SCOPE}/tensor-core`];
  await checkLibrary(await installed('library', registry, library), { hasNative: true });
  const alone = await installed('without-native', registry, [...library, '--omit=optional']);
  await checkLibrary(alone, { hasNative: false });
  await checkCommands(await installed('command', registry, [`${SCOPE}/cli`]));
} finally {
  registry.stop();
  rmSync(scratch, { recursive: true, force: true });
}
console.log('A release would work.');
