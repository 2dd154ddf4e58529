import { caseFailures, findCases } from '@palimpsest/base/golden';
import { expect, it } from 'vitest';
import { goldenHandlers } from '../src/golden/index.js';

const cases = findCases(new URL('golden', import.meta.url).pathname);

it('has a case of every kind', () => {
  const kinds = new Set(cases.map(({ kind }) => kind));
  expect([...kinds].sort()).toEqual(goldenHandlers.map(({ kind }) => kind).sort());
});

it.each(cases)('$name stays within its tolerances', async (found) => {
  expect(await caseFailures(goldenHandlers, found.load())).toEqual([]);
});

it.each(cases)('$name notices a changed value', async (found) => {
  const source = found.load();
  const [name, tensor] = [...source.tensors].find(([key]) => key.startsWith('out/'))!;
  const data = Float32Array.from(tensor.data);
  data[0] = data[0]! + 1;
  const tensors = new Map(source.tensors).set(name, { ...tensor, data });
  const failures = await caseFailures(goldenHandlers, { ...source, tensors });
  expect(failures.some((failure) => failure.startsWith(name))).toBe(true);
});
