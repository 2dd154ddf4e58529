import { readdirSync, readFileSync } from 'node:fs';
import { join, relative, resolve, sep } from 'node:path';
import ts from 'typescript';
import { runtimeDependencies, type Workspace, workspacesOf } from './workspaces.js';

const SCOPE = '@palimpsest/';

/** Storeys of the house from the ground up: a package may import only from lower ones. */
const STOREYS: readonly (readonly string[])[] = [
  ['base'],
  ['tensor-core'],
  ['lm'],
  ['backbone', 'sketch', 'fiber-geometry', 'kakeya'],
  ['osam', 'namm', 'rsm', 'om-arc', 'ams-v4', 'models'],
  ['harness'],
  ['serve'],
  ['cli', 'docs', 'playground'],
];
const TENSOR_LIBRARIES = [/^@tensorflow\//, /^onnxruntime-/];

/** Every way in which a repository's imports break the rules of CONTRIBUTING.md, one sentence each. */
export function importViolations(root: string): string[] {
  return [...workspacesOf('packages', root), ...workspacesOf('apps', root)].flatMap((workspace) => [
    ...declaredViolations(workspace),
    ...sourceFiles(join(workspace.folder, 'src')).flatMap((file) => fileViolations(workspace, file, root)),
  ]);
}

function declaredViolations(workspace: Workspace): string[] {
  const { name } = workspace.manifest;
  if (storeyOf(name) === -1) return [`${name} has no storey in the import rules; give it one.`];
  return runtimeDependencies(workspace)
    .map((dependency) => reasonAgainst(name, dependency))
    .filter((reason) => reason !== undefined)
    .map((reason) => `${name}/package.json: ${reason}`);
}

function fileViolations(workspace: Workspace, file: string, root: string): string[] {
  const { name } = workspace.manifest;
  const where = relative(root, file).split(sep).join('/');
  const source = readFileSync(file, 'utf8');
  return ts.preProcessFile(source, true, true).importedFiles.flatMap(({ fileName }) => {
    if (fileName.startsWith('.')) {
      const inside = resolve(file, '..', fileName).startsWith(workspace.folder + sep);
      return inside ? [] : [`${where}: imports '${fileName}', a file outside its own package.`];
    }
    const reason = reasonAgainst(name, packageOf(fileName));
    return reason === undefined ? [] : [`${where}: ${reason}`];
  });
}

function reasonAgainst(importer: string, imported: string): string | undefined {
  if (importer !== `${SCOPE}tensor-core` && TENSOR_LIBRARIES.some((pattern) => pattern.test(imported))) {
    return `only ${SCOPE}tensor-core may import '${imported}'.`;
  }
  if (!imported.startsWith(SCOPE)) return undefined;
  const target = storeyOf(imported);
  if (target === -1) return `'${imported}' has no storey in the import rules.`;
  return target < storeyOf(importer)
    ? undefined
    : `${importer} may not import '${imported}': imports point downwards only.`;
}

function storeyOf(name: string): number {
  return STOREYS.findIndex((storey) => storey.includes(name.slice(SCOPE.length)));
}

function packageOf(specifier: string): string {
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
}

function sourceFiles(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.[cm]?tsx?$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name));
}
