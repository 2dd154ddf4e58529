import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';

const packages = new URL('../packages/', import.meta.url);
const compiled = readdirSync(packages).filter((name) => existsSync(new URL(`${name}/assembly`, packages)));

it('some packages have compiled kernels', () => {
  expect(compiled).toContain('base');
});

it.each(compiled)('the kernels of %s belong to the sources that stand beside them', (name) => {
  const folder = new URL(`${name}/assembly/`, packages);
  const hash = createHash('sha256');
  for (const file of readdirSync(folder).sort()) hash.update(readFileSync(new URL(file, folder)));
  const module = readFileSync(new URL(`${name}/src/kernels-wasm.ts`, packages), 'utf8');
  expect(module, `run \`node scripts/kernels.mjs ${name}\``).toContain(
    `whose SHA-256 is\n * ${hash.digest('hex')}.`,
  );
});
