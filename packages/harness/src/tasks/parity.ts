import { type CaseResult, type GoldenPart, runGolden } from '@palimpsest/base/golden';
import { type CellMetric, defineTask, type Task } from '@palimpsest/lm';
import { z } from 'zod';
import { embeddedGoldenFolder } from '../parity/golden.js';

const options = z.strictObject({
  system: z.string().describe('mechanism or library whose golden cases are recomputed'),
  golden: z.string().optional().describe('folder of golden cases; default: those that ship'),
});

type InputMetric = Omit<CellMetric, 'slice'> & { readonly slice?: CellMetric['slice'] };

/** Golden cases of the original programs, recomputed on the cell's engine: largest errors per case, and how many hold. */
export const parityTask = (handlers: () => Promise<readonly GoldenPart[]>): Task =>
  defineTask({
    name: 'parity',
    family: 'parity',
    title: 'Parity with the original program',
    description:
      'Golden cases computed with the original program are recomputed and compared output by output; a case holds when every output is within the tolerance that the case states. The share of the tolerance that the worst output uses says how much room is left.',
    options,
    contenders: 'none',
    headline: { metric: 'cases reproduced', unit: '%', higherIsBetter: true },
    async run({ engine, progress, signal }, { system, golden }) {
      const report = await runGolden({
        folder: golden ?? embeddedGoldenFolder(),
        handlers: await handlers(),
        engine,
        system,
        onCase(result, done, total) {
          signal?.throwIfAborted();
          progress(done / total, result.name);
        },
      });
      const total = report.cases.length;
      return {
        passed: report.failed === 0,
        metrics: [
          {
            name: 'cases reproduced',
            value: (100 * report.passed) / total,
            unit: '%',
            samples: total,
            higherIsBetter: true,
          },
          ...report.cases.flatMap(caseMetrics),
        ],
        notes: report.cases.filter(({ passed }) => !passed).map(explain),
      };
    },
  });

/** Largest errors of one case. What is infinite, as an error against NaN, cannot be written down: the note tells it. */
function caseMetrics({ name, outputs }: CaseResult): InputMetric[] {
  const largest = (pick: (output: CaseResult['outputs'][number]) => number) =>
    Math.max(0, ...outputs.map(pick));
  const slice = { case: name };
  const far = largest(({ maxAbs }) => maxAbs);
  const widest = outputs.find(({ maxAbs }) => maxAbs === far);
  return [
    { name: 'largest absolute error', value: far, unit: '', slice },
    { name: 'value at the largest error', value: widest?.maxAbsAt ?? 0, unit: '', slice },
    { name: 'largest relative error', value: largest(({ maxRel }) => maxRel), unit: '', slice },
    {
      name: 'share of the tolerance used',
      value: 100 * largest(({ toleranceUsed }) => toleranceUsed),
      unit: '%',
      slice,
    },
  ].filter(({ value }) => Number.isFinite(value));
}

function explain({ name, error, outputs }: CaseResult): string {
  const broken = outputs.find(({ passed }) => !passed);
  return `${name} fails: ${error ?? `${broken?.name}: ${broken?.reason ?? 'outside its tolerance'}`}`;
}
