import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { unreachedFunctions } from './support/reachable.js';

const root = mkdtempSync(join(tmpdir(), 'palimpsest-reach-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

/**
 * Parts of libraries that nobody calls yet, each for a reason of its own: what completes an operation that is reached
 * (initialisers, masks, sums), and what only tests and benchmarks measure with. The list may only shrink.
 */
const KNOWN = new Set(
  `
validity positionsOf paddedPositions writeSafetensors caseFailures fiberConfig normDrift euclideanField powerLawVectors
hashedSentences packRecord unpackRecord pathSpace toReferenceTensors toReferenceWeights stateNumbers stateBytesOf
xavierNormal kaimingUniform kaimingNormal
legacySync
`
    .trim()
    .split(/\s+/),
);

describe('exported functions', () => {
  it('are reached from a command, an example, a README or a page', () => {
    expect(unreachedFunctions().filter(({ name }) => !KNOWN.has(name))).toEqual([]);
  });

  it('that only each other and tests call are found, and those that a README names or a command loads are not', () => {
    const files: Record<string, string> = {
      'packages/a/package.json': '{ "name": "@palimpsest/a" }',
      'packages/a/README.md': 'Call `named()`.',
      'packages/a/src/index.ts': "export * from './rooms.js';",
      'packages/a/src/rooms.ts':
        'export function called() {}\nexport function lonely() { return friend(); }\nexport function friend() { return lonely(); }\nexport function named() {}',
      'packages/a/src/golden/index.ts':
        "import { helper } from './helper.js';\nexport const handlers = [helper];",
      'packages/a/src/golden/helper.ts': 'export function helper() {}',
      'packages/a/test/rooms.test.ts': 'lonely();',
      'apps/cli/package.json': '{ "name": "@palimpsest/cli" }',
      'apps/cli/README.md': '',
      'apps/cli/src/main.ts':
        "import { called } from '@palimpsest/a';\ncalled();\nawait import('@palimpsest/a/golden');",
      'README.md': '',
      'docs/page.md': '',
      'examples/README.md': '',
    };
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), text);
    }
    expect(unreachedFunctions(root).map(({ name }) => name)).toEqual(['lonely', 'friend']);
  });
});
