import { compareCase, findCases, type GoldenSource } from '@palimpsest/base/golden';
import { describe, expect, it } from 'vitest';
import { goldenHandlers } from '../src/golden/index.js';

const cases = findCases(new URL('golden', import.meta.url).pathname);

/** The outputs of a case that fail, with the reasons. */
async function failures(source: GoldenSource): Promise<string[]> {
  const handler = goldenHandlers.find(({ kind }) => kind === source.kind)!;
  const outputs = await compareCase(handler, source);
  return outputs.filter(({ passed }) => !passed).map(({ name, reason }) => `${name}: ${reason}`);
}

it('has a case of every kind', () => {
  expect([...new Set(cases.map(({ kind }) => kind))].sort()).toEqual(
    goldenHandlers.map(({ kind }) => kind).sort(),
  );
});

describe.each(cases)('golden case $name', (found) => {
  it('stays within its tolerances', async () => {
    expect(await failures(found.load())).toEqual([]);
  });

  it('notices a changed value', async () => {
    const source = found.load();
    const [name, tensor] = [...source.tensors].find(([key]) => key.startsWith('out/'))!;
    const data = Float32Array.from(tensor.data);
    data[0] = data[0]! + 1;
    const reasons = await failures({
      ...source,
      tensors: new Map(source.tensors).set(name, { ...tensor, data }),
    });
    expect(reasons.some((reason) => reason.startsWith(name))).toBe(true);
  });
});
