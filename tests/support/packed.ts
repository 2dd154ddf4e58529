import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { runtimeDependencies, type Workspace } from './workspaces.js';

const execute = promisify(execFile);
const onWindows = process.platform === 'win32';

/** Runs a command to its end. Rejects with everything it printed when it fails. */
export async function runIn(folder: string, command: string, args: readonly string[]): Promise<string> {
  try {
    const { stdout } = await execute(command, [...args], {
      cwd: folder,
      shell: onWindows,
      maxBuffer: 64 << 20,
      env: { ...cleanEnvironment(), ONNXRUNTIME_NODE_INSTALL: 'skip' },
    });
    return stdout;
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string };
    throw new Error(`${command} ${args.join(' ')} failed in ${folder}:\n${stdout}\n${stderr}`);
  }
}

/** The environment of a user's shell: nothing that pnpm, turbo or vitest put there. */
function cleanEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(process.env).filter(
      ([name]) => !/^(npm_|pnpm_|turbo_|vitest|node_env$|node_path$)/i.test(name),
    ),
  );
}

/** Packs a workspace the way it would be published. Returns the tarball's path. */
export async function pack(workspace: Workspace, destination: string): Promise<string> {
  mkdirSync(destination, { recursive: true });
  const output = await runIn(workspace.folder, 'pnpm', ['pack', '--json', '--pack-destination', destination]);
  // Before it stands what the packages' own scripts say.
  const { filename } = JSON.parse(output.slice(output.lastIndexOf('\n{') + 1)) as { filename: string };
  return join(destination, basename(filename));
}

/**
 * Installs one tarball with npm into an empty folder, as a user would. Packages of this repository that it needs come
 * from their own tarballs, because none of them needs to be on the registry yet.
 */
export async function installAlone(
  workspace: Workspace,
  tarballs: ReadonlyMap<string, string>,
  all: readonly Workspace[],
  folder: string,
): Promise<void> {
  mkdirSync(folder, { recursive: true });
  const { name } = workspace.manifest;
  const siblings = siblingsOf(workspace, all);
  const fromTarball = (sibling: string) => [sibling, `file:${tarballs.get(sibling)}`] as const;
  const manifest = {
    name: 'a-user-of-it',
    version: '1.0.0',
    private: true,
    dependencies: Object.fromEntries([fromTarball(name)]),
    overrides: Object.fromEntries(siblings.map(fromTarball)),
  };
  writeFileSync(join(folder, 'package.json'), JSON.stringify(manifest, null, 2));
  const quiet = ['--prefer-offline', '--no-audit', '--no-fund', '--loglevel=error', '--no-package-lock'];
  await runIn(folder, 'npm', ['install', ...quiet]);
}

/** Packages of this repository that one needs, directly or through others. */
function siblingsOf(workspace: Workspace, all: readonly Workspace[]): string[] {
  const found = new Set<string>();
  const visit = (current: Workspace) => {
    for (const dependency of runtimeDependencies(current)) {
      const sibling = all.find(({ manifest }) => manifest.name === dependency);
      if (!sibling || found.has(dependency)) continue;
      found.add(dependency);
      visit(sibling);
    }
  };
  visit(workspace);
  return [...found];
}

/** The first runnable example of a README: its TypeScript and the output printed right after it. */
export function readmeExample(workspace: Workspace): { readonly code: string; readonly output: string } {
  const path = join(workspace.folder, 'README.md');
  const readme = readFileSync(path, 'utf8');
  const found = /^```ts\n([\s\S]*?)^```\n[\s\S]*?^```text\n([\s\S]*?)^```$/m.exec(readme);
  if (!found)
    throw new Error(`${path} needs a \`\`\`ts block followed by a \`\`\`text block with its output.`);
  return { code: found[1]!, output: found[2]!.trim() };
}
