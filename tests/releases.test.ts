import { execFileSync } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { repositoryRoot, workspacesOf } from './support/workspaces.js';

const copy = mkdtempSync(join(tmpdir(), 'palimpsest-release-'));
afterAll(() => rmSync(copy, { recursive: true, force: true }));

const git = (...args: string[]) =>
  execFileSync('git', ['-c', 'user.name=a', '-c', 'user.email=a@example.org', ...args], { cwd: copy });
const read = (path: string) => readFileSync(join(copy, path), 'utf8');
/** Of what is published; pages are not. */
const folders = () =>
  [...workspacesOf('packages', copy), ...workspacesOf('apps', copy)]
    .filter(({ manifest }) => !manifest.private)
    .map(({ folder }) => folder);

/** `changeset version`, as a release runs it after a change of one package, in a copy of what it reads and writes. */
beforeAll(() => {
  const workspaces = [...workspacesOf('packages'), ...workspacesOf('apps')];
  const manifests = workspaces.map(({ folder }) => `${folder.slice(repositoryRoot.length + 1)}/package.json`);
  for (const path of [
    ...manifests,
    'package.json',
    'pnpm-workspace.yaml',
    'examples/package.json',
    '.changeset',
  ]) {
    mkdirSync(dirname(join(copy, path)), { recursive: true });
    cpSync(join(repositoryRoot, path), join(copy, path), { recursive: true });
  }
  const note = '---\n"@palimpsest/sketch": minor\n---\n\nA change of one package.\n';
  writeFileSync(join(copy, '.changeset', 'one-change.md'), note);
  git('init', '--quiet');
  git('add', '--all');
  git('commit', '--quiet', '--message', 'before');
  symlinkSync(join(repositoryRoot, 'node_modules'), join(copy, 'node_modules'));
  execFileSync(process.execPath, ['node_modules/@changesets/cli/bin.js', 'version'], { cwd: copy });
});

describe('a release', () => {
  it('gives every package the same version, because cells of evaluations are known by all of them', () => {
    const versions = folders().map(
      (folder) => JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')).version,
    );
    expect(versions.length).toBeGreaterThan(8);
    expect(new Set(versions).size).toBe(1);
    expect(versions[0]).not.toBe('0.0.0');
  });

  it('uses up every changeset and writes a changelog per package, and none for the examples', () => {
    expect(readdirSync(join(copy, '.changeset'))).toEqual(['config.json']);
    for (const folder of folders()) {
      expect(readFileSync(join(folder, 'CHANGELOG.md'), 'utf8')).toMatch(/^## \d+\.\d+\.\d+$/m);
    }
    expect(read('examples/package.json')).toBe(
      readFileSync(join(repositoryRoot, 'examples/package.json'), 'utf8'),
    );
    expect(readdirSync(join(copy, 'examples'))).toEqual(['package.json']);
  });
});
