import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import ts from 'typescript';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { installAlone, pack, readmeExample, runIn } from './support/packed.js';
import { repositoryRoot, workspacesOf } from './support/workspaces.js';

const packages = workspacesOf('packages');
// Pages are built and not published.
const apps = workspacesOf('apps').filter(({ manifest }) => !manifest.private);
const all = [...packages, ...apps];
const scratch = mkdtempSync(join(tmpdir(), 'palimpsest-packed-'));
const tarballs = new Map<string, string>();

beforeAll(async () => {
  for (const workspace of all) {
    tarballs.set(workspace.manifest.name, await pack(workspace, join(scratch, 'tarballs')));
  }
});
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

/** What publint finds in a packed package, suggestions included. */
async function publishingMistakes(tarball: string): Promise<(string | undefined)[]> {
  const bytes = readFileSync(tarball);
  const pack = { tarball: bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) };
  const { messages, pkg } = await publint({ pack, strict: true });
  return messages.map((message) => formatMessage(message, pkg as Record<string, unknown>, { color: false }));
}

/** The files of a tarball and its package.json. */
async function contentsOf(tarball: string) {
  const list = await runIn(scratch, 'tar', ['-tf', tarball]);
  const text = await runIn(scratch, 'tar', ['-xOf', tarball, 'package/package.json']);
  return {
    files: list.trim().split('\n').sort(),
    text,
    manifest: JSON.parse(text) as Record<string, unknown>,
  };
}

/** Names that a module exports, as printed by a fresh Node process. */
async function exportsOf(folder: string, program: string, extension: string): Promise<string[]> {
  const file = join(folder, `list-exports.${extension}`);
  writeFileSync(file, `${program}\nprocess.stdout.write(JSON.stringify(Object.keys(module_).sort()));\n`);
  const names = JSON.parse(await runIn(folder, process.execPath, [file])) as string[];
  return names.filter((name) => name !== 'default' && name !== '__esModule' && name !== 'module.exports');
}

describe.each(all.map((workspace) => [workspace.manifest.name, workspace] as const))(
  'the tarball of %s',
  (_name, workspace) => {
    it('says the same from npm as from pnpm, and has the licence and words to be found by', async () => {
      const destination = mkdtempSync(join(scratch, 'npm-'));
      await runIn(workspace.folder, 'npm', ['pack', '--silent', '--pack-destination', destination]);
      const fromNpm = await contentsOf(join(destination, readdirSync(destination)[0]!));
      const fromPnpm = await contentsOf(tarballs.get(workspace.manifest.name)!);
      expect(fromNpm.files).toEqual(fromPnpm.files);
      expect(fromNpm.files).toContain('package/LICENSE');
      // TensorFlow.js is carried along, with what its licence asks for.
      const carries = workspace.manifest.name === '@palimpsest/tensor-core';
      expect(fromNpm.files.includes('package/dist/third-party.txt')).toBe(carries);
      for (const section of [
        'dependencies',
        'optionalDependencies',
        'peerDependencies',
        'exports',
        'imports',
      ])
        expect(fromNpm.manifest[section], section).toEqual(fromPnpm.manifest[section]);
      expect(fromNpm.text).not.toMatch(/"(workspace|catalog):/);
      expect(fromNpm.manifest.keywords).not.toHaveLength(0);
      // The package.json of the repository is back.
      expect(existsSync(join(workspace.folder, 'package.json.kept'))).toBe(false);
      const licence = readFileSync(join(workspace.folder, 'LICENSE'), 'utf8');
      expect(licence).toBe(readFileSync(join(repositoryRoot, 'LICENSE'), 'utf8'));
    });
  },
);

describe.each(packages.map((workspace) => [workspace.manifest.name, workspace] as const))(
  '%s',
  (name, workspace) => {
    const folder = join(scratch, 'installed', name.replace('/', '-'));
    // Half a gigabyte of runtimes per package: gone before the next one installs.
    afterAll(() => rmSync(folder, { recursive: true, force: true }));

    it('passes publint', async () => {
      expect(await publishingMistakes(tarballs.get(name)!)).toEqual([]);
    });

    it('gives the right types to ESM and CommonJS users', async () => {
      const output = await runIn(repositoryRoot, 'pnpm', [
        'exec',
        'attw',
        tarballs.get(name)!,
        '--profile',
        'node16',
        '--format',
        'json',
      ]);
      const { problems } = JSON.parse(output).analysis as { problems: { resolutionKind?: string }[] };
      // The resolution of TypeScript's `node10` knows no `exports`, so it finds no subpath of any package.
      expect(problems.filter(({ resolutionKind }) => resolutionKind !== 'node10')).toEqual([]);
    });

    it('installs alone and exports the same names to import and require', async () => {
      await installAlone(workspace, tarballs, all, folder);
      const imported = await exportsOf(folder, `import * as module_ from '${name}';`, 'mjs');
      const required = await exportsOf(folder, `const module_ = require('${name}');`, 'cjs');
      expect(imported.length).toBeGreaterThan(0);
      expect(required).toEqual(imported);
    });

    it('prints what its README says', async () => {
      const { code, output } = readmeExample(workspace);
      const compilerOptions = {
        module: ts.ModuleKind.ESNext,
        target: ts.ScriptTarget.ES2022,
        verbatimModuleSyntax: true,
      };
      writeFileSync(join(folder, 'example.mjs'), ts.transpileModule(code, { compilerOptions }).outputText);
      const printed = await runIn(folder, process.execPath, ['example.mjs']);
      expect(printed.trim().replaceAll('\r\n', '\n')).toBe(output);
    });
  },
);

describe.each(apps.map((workspace) => [workspace.manifest.name, workspace] as const))(
  '%s',
  (name, workspace) => {
    const folder = join(scratch, 'installed', name.replace('/', '-'));
    afterAll(() => rmSync(folder, { recursive: true, force: true }));

    it('passes publint', async () => {
      expect(await publishingMistakes(tarballs.get(name)!)).toEqual([]);
    });

    it('installs alone and its commands run', async () => {
      await installAlone(workspace, tarballs, all, folder);
      for (const command of Object.keys(workspace.manifest.bin ?? {})) {
        const version = await runIn(folder, 'npx', ['--no-install', command, '--version']);
        expect(version.trim()).toBe(workspace.manifest.version);
        const help = await runIn(folder, 'npx', ['--no-install', command, '--help']);
        expect(help).toContain(`Usage: ${command}`);
      }
    });
  },
);
