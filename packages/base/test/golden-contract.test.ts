import { describe, expect, it } from 'vitest';
import {
  findCases,
  GoldenCase,
  type GoldenHandler,
  type GoldenOutputs,
  type GoldenStatement,
  goldenFailures,
  MaskedValues,
  runGolden,
} from '../src/golden/index.js';
import { InputError, type SafeTensor } from '../src/index.js';
import { goldenFolder, integers, vector } from './support/golden-folder.js';

interface Toy {
  readonly json?: Record<string, unknown>;
  readonly tensors?: Record<string, SafeTensor>;
  readonly handler?: Partial<GoldenHandler>;
  readonly statement?: Omit<GoldenStatement, 'system' | 'why'>;
}

/** What fails when a handler returns `outputs` for a case; the case's name and path are left out. */
async function failures(outputs: GoldenOutputs | GoldenHandler['run'], toy: Toy): Promise<string[]> {
  const folder = goldenFolder({
    case: {
      json: { system: 'toy', kind: 'toy', case: 'toy', ...toy.json },
      tensors: toy.tensors,
    },
  });
  const run = typeof outputs === 'function' ? outputs : () => outputs;
  const handler = { system: 'toy', kind: 'toy', run, ...toy.handler };
  const stated = toy.statement ? [{ system: 'toy', why: 'a note', ...toy.statement }] : [];
  const report = await runGolden({ folder, handlers: [handler, ...stated] });
  return goldenFailures(report).map((line) => line.replace(/^toy\/toy \(case\.json\),? ?/, ''));
}

const loose = { tolerances: { atol: 0.5, rtol: 0 } };

describe('what is expected and what is computed pair by name', () => {
  const tensors = { 'in/x': vector(1), 'out/y': vector(2), 'grad/w': vector(3), 'state/m': vector(4) };
  const all = { 'out/y': [2], 'grad/w': [3], 'state/m': [4] };

  it('passes when every result was computed', async () => {
    expect(await failures(all, { json: loose, tensors })).toEqual([]);
  });

  it.each(['out/y', 'grad/w', 'state/m'])('fails when nobody computed %s', async (name) => {
    const { [name as keyof typeof all]: _, ...rest } = all;
    expect(await failures(rest, { json: loose, tensors })).toEqual([
      `${name}: is expected, but nothing computed it`,
    ]);
  });

  it('fails what the case does not expect, inputs included', async () => {
    const found = await failures({ ...all, 'out/z': [1], 'in/x': [1] }, { json: loose, tensors });
    expect(found.map((line) => line.split(':')[0])).toEqual(['out/z', 'in/x']);
  });

  it('takes a state that the handler reads as an input', async () => {
    const run: GoldenHandler['run'] = (testCase) => {
      const state = testCase.numbers('state/m');
      return { 'out/y': [state[0]! / 2], 'grad/w': [3] };
    };
    expect(await failures(run, { json: loose, tensors })).toEqual([]);
  });

  it('compares several forms of one output, and runs an offer only where it is expected', async () => {
    const { 'grad/w': gradient, ...rest } = all;
    const offers = {
      ...rest,
      'out/y@other': [2.6],
      'grad/w': () => gradient,
      'grad/v': () => Promise.reject(new Error('nobody asked')),
    };
    const found = await failures(offers, { json: loose, tensors });
    expect(found).toEqual(['out/y (other): value 0 is 2.6 where 2 was expected (atol 0.5 + rtol 0)']);
  });

  it('lets gradients that do not exist be zero', async () => {
    const json = { ...loose, gradNone: ['v'], tolerances: { atol: 0.5 } };
    expect(await failures({ ...all, 'grad/v': [0, 0.1] }, { json, tensors })).toEqual([]);
    expect(await failures({ ...all, 'grad/v': [0, 1] }, { json, tensors })).toHaveLength(1);
  });

  it('compares masked values where the mask is not 0', async () => {
    const only = { 'out/y': vector(1, 2, 3) };
    expect(
      await failures({ 'out/y': new MaskedValues([1, 9, 3], [1, 0, 1]) }, { json: loose, tensors: only }),
    ).toEqual([]);
    expect(
      await failures({ 'out/y': new MaskedValues([1, 2, 3], [0, 0, 0]) }, { json: loose, tensors: only }),
    ).toHaveLength(1);
  });
});

describe('a handler never sees results', () => {
  it('neither tensors, nor expected members, nor tolerances; names and shapes it may know', async () => {
    let seen: GoldenCase | undefined;
    const run: GoldenHandler['run'] = (testCase) => {
      seen = testCase;
      return { 'out/y': [1, 2], expected: { rank: 3 }, 'cases/0/ids': [4] };
    };
    const json = { ...loose, expected: { rank: 3 }, cases: [{ text: 'a', ids: [4] }], config: { size: 2 } };
    const handler = { expects: ['cases/*/ids'] };
    expect(await failures(run, { json, tensors: { 'out/y': vector(1, 2) }, handler })).toEqual([]);
    expect(seen!.json).toEqual({
      system: 'toy',
      kind: 'toy',
      case: 'toy',
      cases: [{ text: 'a' }],
      config: { size: 2 },
    });
    expect(seen!.has('out/y')).toBe(true);
    expect(seen!.shape('out/y')).toEqual([2]);
    expect(() => seen!.tensor('out/y')).toThrow("The case 'toy' expects 'out/y'; a handler computes it");
    expect(() => seen!.tensor('in/gone')).toThrow(
      new InputError("The case 'toy' lacks the tensor 'in/gone'."),
    );
  });

  it('keeps members below expected that say what to run', async () => {
    const rows = [
      { coder: 'pq', error: 0.25 },
      { coder: 'int8', error: 0.5 },
    ];
    const run: GoldenHandler['run'] = (testCase) => {
      const { rows: asked } = testCase.member('expected', { rows: [] as { coder: string }[] });
      expect(asked).toEqual([{ coder: 'pq' }, { coder: 'int8' }]);
      return { 'expected/rows': asked.map(({ coder }) => ({ error: coder === 'pq' ? 0.25 : 0.75 })) };
    };
    const toy = {
      json: { expected: { rows }, tolerances: { error: { rtol: 0.1 } } },
      handler: { given: ['expected/rows/*/coder'] },
    };
    expect(await failures(run, toy)).toEqual([
      'expected/rows/1/error: value 0 is 0.75 where 0.5 was expected (atol 0 + rtol 0.1)',
    ]);
  });
});

describe('tolerances', () => {
  const off = (name: string, json: Record<string, unknown>, by: number) =>
    failures({ [name]: [10 + by] }, { json, tensors: { [name.split('@')[0]!]: vector(10) } });

  it.each([
    ['at the top', 'out/y', { tolerances: { atol: 0.1 } }],
    ['at the top, under the other name', 'out/y', { tolerance: { atol: 0.05, rtol: 0.005 } }],
    ['of a folder', 'out/a/b', { tolerances: { out: { atol: 0.1 } } }],
    ['of a part', 'out/after40/basis6', { tolerances: { out: { atol: 9 }, basis6: { atol: 0.1 } } }],
    ['of a numbered part', 'out/loss_3', { tolerances: { loss: { atol: 0.1 } } }],
    [
      'of first and last part',
      'out/train/alpha',
      { tolerances: { out: { atol: 9 }, 'out/alpha,t': { atol: 0.1 } } },
    ],
    ['of one of several', 'out/set/t', { tolerances: { 'median,t': { rtol: 0.01 } } }],
    ['of the whole name', 'out/y', { tolerances: { out: { atol: 9 }, 'out/y': { atol: 0.1 } } }],
    ['of gradients at the top', 'grad/w', { tolerance: { atol: 9, gradAtol: 0.05, gradRtol: 0.005 } }],
    ['of a form', 'out/y@stored', { tolerances: { 'out/y': { atol: 9, stored: 0.1 } } }],
    ['of outputs for states', 'state/m', { tolerances: { out: { atol: 0.1 }, grad: { atol: 9 } } }],
  ])('%s', async (_what, name, json) => {
    expect(await off(name, json, 0.09)).toEqual([]);
    expect(await off(name, json, 0.11)).toHaveLength(1);
  });

  it('of weights by their names', async () => {
    const tensors = { 'weights/head.bias': vector(1), 'out/step1/head.bias': vector(10) };
    const json = { tolerances: { loss: { atol: 9 }, weights: { atol: 0.1 } } };
    expect(await failures({ 'out/step1/head.bias': [10.09] }, { json, tensors })).toEqual([]);
    expect(await failures({ 'out/step1/head.bias': [10.11] }, { json, tensors })).toHaveLength(1);
  });

  it('of single rows, which the package may state by name for a case that has words only', async () => {
    const tensors = { 'out/path': { dtype: 'F32', shape: [2, 1], data: Float32Array.of(1, 2) } as const };
    const json = { tolerances: { 'out/path': { atol: 0.1, row0: { atol: 0.3 }, row1: { note: 'loose' } } } };
    const statement = { cases: ['toy'], tolerances: { 'out/path': { row1: { atol: 0.5 } } } };
    expect(await failures({ 'out/path': [1.2, 2.4] }, { json, tensors })).toHaveLength(1);
    expect(await failures({ 'out/path': [1.2, 2.4] }, { json, tensors, statement })).toEqual([]);
    expect(await failures({ 'out/path': [1.4, 2] }, { json, tensors, statement })).toHaveLength(1);
    const other = { ...statement, cases: ['another'] };
    expect(await failures({ 'out/path': [1.2, 2.4] }, { json, tensors, statement: other })).toHaveLength(1);
  });

  it('and settings that a package states join what the case has, which goes first', async () => {
    const run: GoldenHandler['run'] = ({ json }) => ({ 'out/y': [Number(json.count) + Number(json.step)] });
    const json = { ...loose, count: 3 };
    const statement = { cases: ['toy'], settings: { count: 9, step: 0.2 } };
    expect(await failures(run, { json, tensors: { 'out/y': vector(3.2) }, statement })).toEqual([]);
  });

  it('that are exact', async () => {
    for (const tolerances of [
      { exact: true },
      { exact: ['y'], atol: 9 },
      { atol: 9, 'out/y': 'exact as a set' },
    ]) {
      expect(await off('out/y', { tolerances }, 0)).toEqual([]);
      expect(await off('out/y', { tolerances }, 1e-5)).toHaveLength(1);
    }
  });

  it('that nobody states fail, however close the value is', async () => {
    for (const json of [
      {},
      { tolerances: { grad: { atol: 1 } } },
      { tolerance: { referenceF32VsF64: { out: 1 } } },
    ]) {
      expect(await off('out/y', json, 0)).toEqual([
        "out/y: has no tolerance; state one for it under the case's 'tolerances'",
      ]);
    }
  });

  it('of integers and texts are none', async () => {
    const tensors = { 'out/ids': integers(3, 4) };
    expect(await failures({ 'out/ids': [3, 4] }, { json: {}, tensors })).toEqual([]);
    expect(await failures({ 'out/ids': [3, 4.1] }, { json: loose, tensors })).toHaveLength(1);
    const json = { expected: { text: 'abc', ok: true, ids: [1, 2], none: null } };
    expect(
      await failures({ expected: { text: 'abc', ok: true, ids: [1, 2], none: null } }, { json }),
    ).toEqual([]);
    expect(
      await failures({ expected: { text: 'abd', ok: false, ids: [1], none: 0 } }, { json }),
    ).toHaveLength(4);
  });

  it('of numbers in JSON are none where the case states nothing, and must be stated where it states some', async () => {
    expect(await failures({ expected: { idf: 1.5 } }, { json: { expected: { idf: 1.5 } } })).toEqual([]);
    expect(
      await failures({ expected: { idf: 1.5 } }, { json: { expected: { idf: 1.5000001 } } }),
    ).toHaveLength(1);
    const json = { expected: { idf: 1.5 }, tolerances: { out: { atol: 1 } } };
    expect((await failures({ expected: { idf: 1.5 } }, { json }))[0]).toContain('has no tolerance');
  });
});

it('finds cases with their tensors', () => {
  const folder = goldenFolder({
    a: { json: { system: 'toy', kind: 'x', case: 'first' }, tensors: { 'in/x': vector(1) } },
  });
  const [found] = findCases(folder);
  expect(found).toMatchObject({ name: 'first', system: 'toy', kind: 'x' });
  expect(new GoldenCase(found!.load(), {}).array('in/x')).toMatchObject({ shape: [1], dtype: 'float32' });
});
