import { describe, expect, it } from 'vitest';
import {
  createGoldenRegistry,
  findCases,
  type GoldenHandler,
  goldenFailures,
  runGolden,
} from '../src/golden/index.js';
import { goldenFolder, vector } from './support/golden-folder.js';

const engine = { name: 'cpu' };

/** Recomputes `out/y = factor * in/x` as its case asks. */
const scale: GoldenHandler = {
  system: 'toy',
  kind: 'scale',
  run: (testCase) => {
    const factor = testCase.member('factor', Number.NaN);
    return { 'out/y': testCase.numbers('in/x').map((value) => value * factor) };
  },
};
const scaleCase = (factor: number, ...expected: number[]) => ({
  json: { system: 'toy', kind: 'scale', case: 'scaled', factor, tolerances: { atol: 1e-6, rtol: 0 } },
  tensors: { 'in/x': vector(1, 2, 3), 'out/y': vector(...expected) },
});

describe('runGolden', () => {
  it('dispatches on system and kind, whatever the files are called and however deep they lie', async () => {
    const folder = goldenFolder({
      anything: scaleCase(2, 2, 4, 6),
      'deep/er/namm-generate': scaleCase(3, 3, 6, 9),
      'deep/config.json': '{"model_type":"gpt2"}',
      'deep/tokenizer.json': '["not", "a", "case"]',
    });
    const seen: string[] = [];
    const report = await runGolden({
      folder,
      engine,
      handlers: [scale],
      onCase: ({ path }, done, total) => seen.push(`${done}/${total} ${path}`),
    });
    expect(report).toMatchObject({ passed: 2, failed: 0, engine: 'cpu' });
    expect(seen).toEqual(['1/2 anything.json', '2/2 deep/er/namm-generate.json']);
    expect(report.cases[0]!.outputs[0]).toMatchObject({ name: 'out/y', maxAbs: 0, count: 3 });
  });

  it('fails a case outside its tolerance and reports the errors', async () => {
    const report = await runGolden({
      folder: goldenFolder({ a: scaleCase(2, 2, 4, 6.5) }),
      engine,
      handlers: [scale],
    });
    expect(report).toMatchObject({ passed: 0, failed: 1 });
    expect(report.cases[0]!.outputs[0]).toMatchObject({ passed: false, maxAbs: 0.5, worstIndex: 2 });
    expect(goldenFailures(report)).toEqual([
      'toy/scaled (a.json), out/y: value 2 is 6 where 6.5 was expected (atol 0.000001 + rtol 0)',
    ]);
  });

  it('fails kinds and systems that nobody registered, and names those that are', async () => {
    const folder = goldenFolder({
      a: { json: { system: 'toy', kind: 'rotate' } },
      b: { json: { system: 'unheard-of', kind: 'scale' } },
    });
    const { cases, failed } = await runGolden({ folder, engine, handlers: [scale] });
    expect(failed).toBe(2);
    expect(cases[0]!.error).toBe("No handler is registered for the kind 'rotate' of 'toy'; there are scale.");
    expect(cases[1]!.error).toBe(
      "No handler is registered for the system 'unheard-of'; the systems are: toy.",
    );
  });

  it('goes on after a handler that throws, and fails one that compares nothing', async () => {
    const throws: GoldenHandler = {
      system: 'toy',
      kind: 'throws',
      run: () => Promise.reject(new Error('boom')),
    };
    const silent: GoldenHandler = { system: 'toy', kind: 'silent', run: () => ({}) };
    const folder = goldenFolder({
      a: { json: { system: 'toy', kind: 'throws' } },
      b: { json: { system: 'toy', kind: 'silent' } },
      c: scaleCase(2, 2, 4, 6),
    });
    const report = await runGolden({ folder, engine, handlers: [scale, throws, silent] });
    expect(report.cases.map(({ passed }) => passed)).toEqual([false, false, true]);
    expect(report.cases[0]!.error).toBe('boom');
    expect(report.cases[1]!.error).toContain('compared nothing');
  });

  it('fails broken cases: no JSON, tensors without system and kind, torn tensors', async () => {
    const folder = goldenFolder({
      'torn.json': '{"system": "toy"',
      nameless: { json: { config: {} }, tensors: { 'in/x': vector(1) } },
      cut: { json: { system: 'toy', kind: 'scale', case: 'cut' } },
      'cut.safetensors': 'too short to be one',
    });
    const { cases, passed } = await runGolden({ folder, engine, handlers: [scale] });
    expect(passed).toBe(0);
    expect(cases.map(({ path }) => path)).toEqual(['cut.json', 'nameless.json', 'torn.json']);
    expect(cases[1]!.error).toContain("does not say its 'system' and 'kind'");
    expect(cases[2]!.error).toContain('is not JSON');
  });

  it('refuses a folder that is missing or holds no case', async () => {
    await expect(runGolden({ folder: '/nowhere/at/all', engine, handlers: [] })).rejects.toThrow(
      "There is no folder '/nowhere/at/all'",
    );
    expect(() => findCases(goldenFolder({ 'config.json': '{}' }))).toThrow('holds no golden case');
  });

  it('runs one system when asked', async () => {
    const folder = goldenFolder({ a: scaleCase(2, 2, 4, 6), b: { json: { system: 'other', kind: 'x' } } });
    const report = await runGolden({ folder, engine, handlers: [scale], system: 'toy' });
    expect(report.cases.map(({ system }) => system)).toEqual(['toy']);
    const nobody = runGolden({ folder, engine, handlers: [scale], system: 'nobody' });
    await expect(nobody).rejects.toThrow("no golden case of 'nobody' here; there are cases of toy, other");
  });
});

describe('createGoldenRegistry', () => {
  it('refuses two handlers of one kind', () => {
    expect(() => createGoldenRegistry([scale, { ...scale }])).toThrow("claim the kind 'scale' of 'toy'");
  });
});
