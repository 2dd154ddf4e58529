import { readFile, writeFile } from 'node:fs/promises';
import { afterAll, describe, expect, test } from 'vitest';
import { createEngine, type Engine, type EngineName } from '../../src/index.js';
import { measurements } from './measure.js';
import { numericsTable } from './table.js';

const DOCUMENT = new URL('../../../../docs/numerics.md', import.meta.url);
const ENGINES: readonly EngineName[] = ['onnx', 'onnx-web', 'wasm', 'cpu'];

const engines: Engine[] = [];
for (const name of ENGINES) engines.push(await createEngine(name));
const errors: Record<string, number[]> = {};

afterAll(async () => {
  for (const engine of engines) await engine.dispose();
});

describe.each(engines.map((engine) => [engine.name, engine] as const))('on %s', (name, engine) => {
  test.each(measurements.map((line, index) => [`${line.name}, ${line.over}`, line, index] as const))(
    '%s keeps its bound',
    async (_title, line, index) => {
      const error = await line.measure(engine);
      errors[name] ??= [];
      errors[name]![index] = error;
      expect(error).toBeLessThanOrEqual(line.bound);
    },
    120_000,
  );
});

/** The table without its figures: they differ a little between processors. */
const withoutFigures = (text: string) => text.replace(/\| (?:0|\d(?:\.\d+)?e-?\d+) (?=\|)/g, '| # ');

/** The figures of the table in the order of the lines, one list per engine. */
const figuresOf = (text: string) =>
  text
    .split('\n')
    .filter((line) => /^\| .*\| (?:0|\de-?\d+) \|/.test(line))
    .map((line) =>
      line
        .split('|')
        .slice(3, 3 + ENGINES.length)
        .map(Number),
    );

test('the table in the documentation is current', async () => {
  const table = numericsTable(measurements, errors);
  if (process.env.UPDATE_NUMERICS) await writeFile(DOCUMENT, table);
  const written = await readFile(DOCUMENT, 'utf8');
  expect(withoutFigures(written)).toBe(withoutFigures(table));
  const figures = figuresOf(written);
  measurements.forEach((line, index) => {
    for (const [column, engine] of ENGINES.entries()) {
      const error = errors[engine]![index]!;
      // Another processor rounds otherwise, but not by much.
      expect(error, `${line.name} over ${line.over} on ${engine}`).toBeLessThanOrEqual(
        2 * figures[index]![column]!,
      );
    }
  });
});
