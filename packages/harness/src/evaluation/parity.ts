import { runParity } from '../parity/run.js';
import type { ParityHandler, ParityReport } from '../parity/types.js';
import { type ChartSpec, stripChart } from '../report/charts.js';
import type { Evaluation } from './suite.js';

/** The golden cases of one system as an evaluation: how many hold, and how much of their tolerance is used. */
export function parityEvaluation(
  system: string,
  folder: string,
  handlers: readonly ParityHandler[],
): Evaluation {
  return {
    name: `${system}/parity`,
    system,
    title: `${system}: parity with the reference`,
    async run({ engine, progress, signal }) {
      const report = await runParity({
        folder,
        handlers,
        engine,
        system,
        onCase(result, done, total) {
          signal?.throwIfAborted();
          progress(done / total, result.name);
        },
      });
      const outputs = report.cases.flatMap((result) => result.outputs);
      const worst = Math.max(0, ...outputs.map((output) => output.toleranceUsed));
      const failures = report.cases.filter((result) => !result.passed);
      return {
        summary:
          failures.length === 0
            ? `All ${report.passed} golden cases of the reference are reproduced (${outputs.length} outputs).`
            : `${report.failed} of ${report.cases.length} golden cases fail: ${failures.map(({ name }) => name).join(', ')}. ${failures[0]!.error ?? ''}`.trim(),
        passed: report.failed === 0,
        config: { cases: report.cases.map((result) => result.name) },
        metrics: [
          {
            name: 'golden cases reproduced',
            value: report.passed,
            unit: `of ${report.cases.length}`,
            higherIsBetter: true,
          },
          { name: 'compared outputs', value: outputs.length, unit: 'outputs' },
          ...(Number.isFinite(worst)
            ? [
                {
                  name: 'largest share of a tolerance used',
                  value: worst * 100,
                  unit: '%',
                  higherIsBetter: false,
                },
              ]
            : []),
        ],
        charts: [toleranceChart(report)],
      };
    },
  };
}

/** Equal values have no place on a logarithmic axis: they are drawn at this share. */
const SMALLEST_SHARE = 1e-4;

function toleranceChart(report: ParityReport): ChartSpec {
  const points = report.cases.flatMap((result) =>
    result.outputs.map((output) => ({
      label: result.name,
      value: Math.max(SMALLEST_SHARE, output.toleranceUsed),
    })),
  );
  return stripChart(points, {
    title: 'Share of the tolerance that each output uses',
    xTitle: 'share of the tolerance (1 is the limit, 0.0001 or less is drawn at the left)',
    limit: 1,
  });
}
