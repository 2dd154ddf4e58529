import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { importViolations } from './support/import-direction.js';
import { repositoryRoot, workspacesOf } from './support/workspaces.js';

const scratch: string[] = [];
afterAll(() => {
  for (const folder of scratch) rmSync(folder, { recursive: true, force: true });
});

/** A repository of our package names with the given files. */
function repository(files: Record<string, string>): string {
  const root = mkdtempSync(join(tmpdir(), 'palimpsest-imports-'));
  scratch.push(root);
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  return root;
}

const packageJson = (name: string, dependencies: Record<string, string> = {}) =>
  JSON.stringify({ name: `@palimpsest/${name}`, version: '1.0.0', dependencies });

describe('imports point downwards', () => {
  it('in this repository', () => {
    expect(workspacesOf('packages').length).toBeGreaterThanOrEqual(2);
    expect(importViolations(repositoryRoot)).toEqual([]);
  });

  it.each([
    [
      'a static import of a higher storey',
      "import { x } from '@palimpsest/osam';",
      'imports point downwards only',
    ],
    [
      'a type import of a neighbour',
      "import type { X } from '@palimpsest/kakeya';",
      'imports point downwards only',
    ],
    [
      'a re-export of a neighbour',
      "export * from '@palimpsest/kakeya/deep';",
      'imports point downwards only',
    ],
    ['a dynamic import', "const x = await import('@palimpsest/harness');", 'imports point downwards only'],
    ['a require call', "const x = require('@palimpsest/cli');", 'imports point downwards only'],
    ['TensorFlow.js', "import * as tf from '@tensorflow/tfjs-core';", 'only @palimpsest/tensor-core'],
    ['ONNX Runtime', "import 'onnxruntime-node';", 'only @palimpsest/tensor-core'],
    ['an unknown package', "import '@palimpsest/nowhere';", 'has no storey'],
    ['a file of another package', "import '../../kakeya/src/index.js';", 'outside its own package'],
  ])('refuses %s in sketch', (_what, source, reason) => {
    const root = repository({
      'packages/sketch/package.json': packageJson('sketch'),
      'packages/sketch/src/index.ts': `export const fine = 1;\n${source}\n`,
    });
    const violations = importViolations(root);
    expect(violations).toHaveLength(1);
    expect(violations[0]).toContain('packages/sketch/src/index.ts');
    expect(violations[0]).toContain(reason);
  });

  it('refuses an upward dependency that no source file uses, and a package without a storey', () => {
    const root = repository({
      'packages/lm/package.json': packageJson('lm', { '@palimpsest/osam': '1.0.0' }),
      'packages/lm/src/index.ts': '',
      'packages/attic/package.json': packageJson('attic'),
      'packages/attic/src/index.ts': '',
    });
    const violations = importViolations(root);
    expect(violations).toHaveLength(2);
    expect(violations.join('\n')).toContain('@palimpsest/lm/package.json');
    expect(violations.join('\n')).toContain('@palimpsest/attic has no storey');
  });

  it('accepts downward imports, its own files and words in strings', () => {
    const root = repository({
      'packages/osam/package.json': packageJson('osam', { '@palimpsest/sketch': '1.0.0' }),
      'packages/osam/src/index.ts':
        "import '@palimpsest/sketch';\nimport './block.js';\nexport const text = 'onnxruntime-node';\n",
      'packages/osam/src/block.ts': "// import '@palimpsest/harness'\nexport const block = 1;\n",
      'apps/cli/package.json': packageJson('cli'),
      'apps/cli/src/main.ts': "import '@palimpsest/harness';\nimport '@palimpsest/osam';\n",
    });
    expect(importViolations(root)).toEqual([]);
  });
});
