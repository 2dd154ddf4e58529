import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';
import ts from 'typescript';
import { repositoryRoot, type Workspace, workspacesOf } from './workspaces.js';

/** An exported function or class, where it stands. */
export interface ExportedFunction {
  readonly name: string;
  readonly file: string;
}

interface Declaration {
  readonly file: string;
  readonly isExportedFunction: boolean;
  /** `package#name` of what it mentions. */
  readonly mentions: ReadonlySet<string>;
}

/** Names of a package and what each of them mentions; what a file does by itself stands under the name ''. */
interface Graph {
  readonly declarations: Map<string, Declaration[]>;
  readonly roots: Set<string>;
}

/**
 * Exported functions and classes that nothing reaches which a user can reach: no command, example, README or page. What
 * only tests and benchmarks call is among them. Names are compared, not symbols: of two that are called the same in one
 * package both count as reached.
 */
export function unreachedFunctions(root = repositoryRoot): ExportedFunction[] {
  const workspaces = [...workspacesOf('packages', root), ...workspacesOf('apps', root)];
  const graph: Graph = { declarations: new Map(), roots: new Set() };
  for (const workspace of workspaces) addPackage(graph, workspace);
  addTexts(graph, root, workspaces);
  const reached = closureOf(graph);
  return [...graph.declarations].flatMap(([key, declarations]) =>
    reached.has(key)
      ? []
      : declarations
          .filter(({ isExportedFunction }) => isExportedFunction)
          .map(({ file }) => ({ name: key.split('#')[1]!, file: relative(root, file) })),
  );
}

function closureOf({ declarations, roots }: Graph): Set<string> {
  const reached = new Set(roots);
  // A set that grows while it is walked is walked to its end.
  for (const key of reached) {
    for (const { mentions } of declarations.get(key) ?? [])
      for (const mention of mentions) reached.add(mention);
  }
  return reached;
}

function addPackage({ declarations, roots }: Graph, { folder, manifest }: Workspace): void {
  const files = filesBelow(join(folder, 'src'), /\.tsx?$/);
  for (const path of files) {
    const file = ts.createSourceFile(path, readFileSync(path, 'utf8'), ts.ScriptTarget.Latest, true);
    const imported = importsOf(file, manifest.name);
    for (const statement of file.statements) {
      if (ts.isImportDeclaration(statement) || ts.isExportDeclaration(statement)) continue;
      const names = declaredNames(statement);
      const mentions = mentionsOf(statement, manifest.name, imported, path);
      if (names.length === 0) for (const mention of mentions) roots.add(mention);
      for (const name of names) {
        const key = `${manifest.name}#${name}`;
        const known = declarations.get(key) ?? [];
        declarations.set(key, [
          ...known,
          { file: path, isExportedFunction: isExportedFunction(statement), mentions },
        ]);
      }
    }
  }
}

/** Local name to `package#name`, for what comes from elsewhere. */
function importsOf(file: ts.SourceFile, own: string): Map<string, string> {
  const imported = new Map<string, string>();
  for (const statement of file.statements) {
    if (!ts.isImportDeclaration(statement) || !ts.isStringLiteral(statement.moduleSpecifier)) continue;
    const owner = packageOf(statement.moduleSpecifier.text, own);
    const bindings = statement.importClause?.namedBindings;
    if (owner === undefined || !bindings || !ts.isNamedImports(bindings)) continue;
    for (const { name, propertyName } of bindings.elements) {
      imported.set(name.text, `${owner}#${(propertyName ?? name).text}`);
    }
  }
  return imported;
}

function packageOf(specifier: string, own: string): string | undefined {
  if (specifier.startsWith('.')) return own;
  return specifier.startsWith('@palimpsest/') ? specifier.split('/').slice(0, 2).join('/') : undefined;
}

function declaredNames(statement: ts.Statement): string[] {
  if (ts.isVariableStatement(statement)) {
    return statement.declarationList.declarations.flatMap(({ name }) =>
      ts.isIdentifier(name) ? [name.text] : [],
    );
  }
  const { name } = statement as ts.DeclarationStatement;
  return name && ts.isIdentifier(name) ? [name.text] : [];
}

function isExportedFunction(statement: ts.Statement): boolean {
  if (!ts.isFunctionDeclaration(statement) && !ts.isClassDeclaration(statement)) return false;
  return statement.modifiers?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword) === true;
}

function mentionsOf(
  node: ts.Node,
  own: string,
  imported: ReadonlyMap<string, string>,
  path: string,
): Set<string> {
  const mentions = new Set<string>();
  const visit = (at: ts.Node): void => {
    if (ts.isIdentifier(at) && !isMemberName(at)) mentions.add(imported.get(at.text) ?? `${own}#${at.text}`);
    if (ts.isCallExpression(at) && at.expression.kind === ts.SyntaxKind.ImportKeyword) {
      for (const name of namesBehind(at.arguments[0]!, own, path)) mentions.add(name);
    }
    ts.forEachChild(at, visit);
  };
  visit(node);
  return mentions;
}

/** The name of a property, which is nobody's declaration. */
function isMemberName(node: ts.Identifier): boolean {
  const { parent } = node;
  return (
    (ts.isPropertyAccessExpression(parent) && parent.name === node) ||
    (ts.isPropertyAssignment(parent) && parent.name === node) ||
    (ts.isMethodDeclaration(parent) && parent.name === node) ||
    (ts.isPropertySignature(parent) && parent.name === node)
  );
}

/** Everything that a module exports which is loaded when it is needed: a file, or a subpath of another package. */
function namesBehind(specifier: ts.Expression, own: string, path: string): string[] {
  if (!ts.isStringLiteral(specifier)) return [];
  const { text } = specifier;
  const owner = packageOf(text, own);
  if (owner === undefined) return [];
  const file = text.startsWith('.')
    ? resolve(dirname(path), text.replace(/\.js$/, '.ts'))
    : subpathFile(path, text.split('/').slice(1));
  return file === undefined ? [] : exportedNames(file).map((name) => `${owner}#${name}`);
}

/** The source of `@palimpsest/name/subpath`. */
function subpathFile(importer: string, [name, subpath]: readonly string[]): string | undefined {
  const groups = [`${sep}packages${sep}`, `${sep}apps${sep}`];
  const root = importer.slice(0, Math.max(...groups.map((group) => importer.lastIndexOf(group))));
  const places = subpath === undefined ? ['index.ts'] : [join(subpath, 'index.ts'), `${subpath}.ts`];
  return places
    .map((place) => join(root, 'packages', name!, 'src', place))
    .find((place) => existsSync(place));
}

function exportedNames(path: string): string[] {
  const file = ts.createSourceFile(path, readFileSync(path, 'utf8'), ts.ScriptTarget.Latest, true);
  return file.statements.flatMap((statement) => {
    if (
      ts.isExportDeclaration(statement) &&
      statement.moduleSpecifier &&
      ts.isStringLiteral(statement.moduleSpecifier)
    ) {
      return exportedNames(resolve(dirname(path), statement.moduleSpecifier.text.replace(/\.js$/, '.ts')));
    }
    return declaredNames(statement);
  });
}

/** READMEs, pages, derivations and examples: every word in them is a name that a reader may use. */
function addTexts({ declarations, roots }: Graph, root: string, workspaces: readonly Workspace[]): void {
  const texts = [
    ...workspaces.map(({ folder }) => join(folder, 'README.md')),
    join(root, 'README.md'),
    ...filesBelow(join(root, 'docs'), /\.md$/),
    ...filesBelow(join(root, 'examples'), /\.(mjs|md)$/),
  ];
  const words = new Set(texts.flatMap((path) => readFileSync(path, 'utf8').match(/[A-Za-z_]\w+/g) ?? []));
  for (const key of declarations.keys()) if (words.has(key.split('#')[1]!)) roots.add(key);
}

function filesBelow(folder: string, pattern: RegExp): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter(
      (entry) => entry.isFile() && pattern.test(entry.name) && !entry.parentPath.includes('node_modules'),
    )
    .map((entry) => join(entry.parentPath, entry.name));
}
