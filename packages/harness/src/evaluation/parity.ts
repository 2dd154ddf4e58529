import { runParity } from '../parity/run.js';
import type { ParityHandler } from '../parity/types.js';
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
      const failures = report.cases
        .filter((result) => !result.passed)
        .map((result) => `${result.name}: ${result.error ?? 'outside its tolerance'}`);
      return {
        summary:
          failures.length === 0
            ? `All ${report.passed} golden cases of the reference are reproduced (${outputs.length} outputs).`
            : `${report.failed} of ${report.cases.length} golden cases fail: ${failures.join('; ')}.`,
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
        charts: [],
      };
    },
  };
}
