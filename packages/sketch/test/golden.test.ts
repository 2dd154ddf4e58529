import { describe, expect, it } from 'vitest';
import type { ParityCase } from '../src/index.js';
import { goldenCases, miss, runCase } from './support/golden-runner.js';

const cases = goldenCases();

it('has a case of every kind', () => {
  expect([...new Set(cases.map(({ json }) => json.kind))].sort()).toEqual([
    'convolution',
    'countsketch',
    'phase',
    'tensorsketch',
  ]);
  expect(cases).toHaveLength(5);
});

describe.each(cases.map((each) => [each.name, each] as const))('golden case %s', (_name, testCase) => {
  const outputs = runCase(testCase);

  it('compares every expected output', () => {
    const compared = new Set(outputs.map(({ name }) => name));
    const expected = [...testCase.tensors.keys()].filter((name) => name.startsWith('out/'));
    expect(expected.filter((name) => !compared.has(name))).toEqual([]);
    expect(outputs.every(({ atol, rtol, exact }) => exact || atol + rtol > 0)).toBe(true);
  });

  it('stays within its tolerances', () => {
    expect(outputs.map(miss).filter((each) => each !== undefined)).toEqual([]);
  });
});

describe('parity handlers', () => {
  const named = (name: string) => cases.find((each) => each.name === name)!;

  it('notice a changed value', () => {
    for (const testCase of cases) {
      const [name, tensor] = [...testCase.tensors].find(([key]) => key.startsWith('out/'))!;
      const data = Float32Array.from(tensor.data);
      data[0] = data[0]! + 1;
      const tensors = new Map(testCase.tensors).set(name, { ...tensor, data });
      expect(
        runCase({ ...testCase, tensors })
          .map(miss)
          .some((each) => each?.startsWith(name)),
      ).toBe(true);
    }
  });

  it('refuse an output that they cannot compute', () => {
    const testCase = named('phase');
    const tensors = new Map(testCase.tensors).set('out/other', testCase.tensors.get('out/qRe')!);
    expect(() => runCase({ ...testCase, tensors })).toThrow(/expects out\/other/);
  });

  it('say which tensor a case lacks', () => {
    const testCase: ParityCase = { ...named('tensorsketch'), tensors: new Map() };
    expect(() => runCase(testCase)).toThrow("The case 'tensorsketch' has no tensor 'in/x'.");
  });

  it('follow tolerances for single outputs', () => {
    const testCase = named('phase');
    const tolerances = { atol: 1, rtol: 1, score: { atol: 1e-9 }, 'out/qRe': { rtol: 0.5 }, exact: ['kIm'] };
    const outputs = runCase({ ...testCase, json: { ...testCase.json, tolerances } });
    const of = (name: string) => outputs.find((output) => output.name === name)!;
    expect(of('out/score')).toMatchObject({ atol: 1e-9, rtol: 1, exact: false });
    expect(of('out/qRe')).toMatchObject({ atol: 1, rtol: 0.5 });
    expect(of('out/kIm').exact).toBe(true);
  });
});
