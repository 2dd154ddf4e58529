import type { Measurement } from './measure.js';

/** Largest errors by engine, in the order of the lines. */
export type Errors = Readonly<Record<string, readonly number[]>>;

/** One digit, rounded up, so that another processor's rounding does not change the table. */
const roundedUp = (error: number): string => {
  if (error === 0) return '0';
  const exponent = Math.floor(Math.log10(error));
  const digit = Math.ceil(error / 10 ** exponent - 1e-9);
  return digit === 10 ? `1e${exponent + 1}` : `${digit}e${exponent}`;
};

/** The document of largest errors as Markdown. */
export function numericsTable(lines: readonly Measurement[], errors: Errors): string {
  const engines = Object.keys(errors);
  const groups = [...new Set(lines.map(({ group }) => group))];
  const rows = (group: string) =>
    lines.flatMap((line, index) => {
      if (line.group !== group) return [];
      const cells = engines.map((engine) => roundedUp(errors[engine]![index]!));
      return `| ${line.name} | ${line.over} | ${cells.join(' | ')} | ${line.why ?? ''} |`;
    });
  const tables = groups.map((group) =>
    [
      `## ${group}`,
      '',
      `| function | over | ${engines.join(' | ')} | why more than the bound |`,
      `| --- | --- | ${engines.map(() => '---').join(' | ')} | --- |`,
      ...rows(group),
    ].join('\n'),
  );
  return `${INTRODUCTION}\n\n${tables.join('\n\n')}\n`;
}

const INTRODUCTION = `# How exact the engines are

Largest relative error of every elementary function, reduction and normalisation on every engine, against float64
arithmetic on the same float32 inputs: |result - truth| / max(|truth|, 2^-126). The bound is 4e-6 for single elements and
1e-6 for sums, means and running sums, which holds up to 2^25 terms, except where the last column says why. Rows of a layer
normalisation cross zero and are measured against the largest of their row. 0 stands where every result is the
float32 nearest to the truth.

This file is generated: \`npm run numerics\` in \`packages/tensor-core\` writes it, and the tests of the package measure
everything anew and compare.`;
