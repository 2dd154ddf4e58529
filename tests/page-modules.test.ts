import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';
import { describe, expect, it } from 'vitest';
import { workspacesOf } from './support/workspaces.js';

/** Programs of Node.js, but for the control mechanisms of one. */
const NODE_ONLY = ['@palimpsest/harness', '@palimpsest/serve'];

const modules = workspacesOf('packages').flatMap(({ folder, manifest }) =>
  (NODE_ONLY.includes(manifest.name) ? ['controls'] : ['index', 'mechanism'])
    .map((name) => ({ module: `${manifest.name}/${name}`, file: join(folder, 'dist', `${name}.js`) }))
    .filter(({ file }) => existsSync(file)),
);

describe('what a page imports', () => {
  it('are the packages and their mechanisms', () => {
    expect(modules.map(({ module }) => module)).toContain('@palimpsest/harness/controls');
    expect(modules.length).toBeGreaterThanOrEqual(17);
  });

  // esbuild refuses a module of Node.js that is imported for browsers, in whatever way and however deep.
  it.each(modules)('$module reaches no module of Node.js', async ({ file }) => {
    const { errors } = await build({
      entryPoints: [file],
      bundle: true,
      format: 'esm',
      write: false,
      logLevel: 'silent',
    }).catch((failure: { errors: { text: string }[] }) => failure);
    expect(errors.map(({ text }) => text)).toEqual([]);
  });
});
