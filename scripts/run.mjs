import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const MINIMUM_NODE = [20, 19];

/** Ends the process with one sentence when Node is too old, before anything obscure fails. */
export function requireNode() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major > MINIMUM_NODE[0] || (major === MINIMUM_NODE[0] && minor >= MINIMUM_NODE[1])) return;
  console.error(
    `Palimpsest needs Node ${MINIMUM_NODE.join('.')} or newer, but this is ${process.versions.node}; install a newer Node and run the command again.`,
  );
  process.exit(2);
}

/** Runs one command with its output shown as it comes. Resolves to the exit code; a signal counts as 1. */
export function run(command, args, options = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd: root,
      stdio: ['ignore', 'inherit', 'inherit'],
      // npx is a .cmd file on Windows, which only a shell can start.
      shell: process.platform === 'win32',
      ...options,
      env: { ...process.env, TURBO_TELEMETRY_DISABLED: '1', ...options.env },
    });
    child.on('error', reject);
    child.on('close', (code) => resolve(code ?? 1));
  });
}

/** Runs the pnpm version that package.json names, fetched by npx when it is not there yet. */
export function pnpm(args, options) {
  return run('npx', ['--yes', '--loglevel=error', manifest.packageManager, ...args], options);
}

/** Prints a heading, runs the step, prints how long it took. Resolves to true when the step succeeded. */
export async function step(title, action) {
  console.log(`\n▸ ${title}`);
  const start = performance.now();
  const code = await action();
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  console.log(`${code === 0 ? '✓' : '✗'} ${title} (${seconds} s)`);
  return code === 0;
}

/** Installs exactly what the lockfile says. */
export function install() {
  return step('Install the dependencies of the lockfile', () =>
    pnpm(['install', '--frozen-lockfile', '--config.confirmModulesPurge=false']),
  );
}
