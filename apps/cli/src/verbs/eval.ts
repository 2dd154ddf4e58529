import { mkdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import {
  type Evaluation,
  evaluationSuite,
  formatResults,
  renderReport,
  runSuite,
  type SuiteSize,
} from '@palimpsest/harness';
import { createEngine, InputError } from '@palimpsest/tensor-core';
import { z } from 'zod';
import { ExitCode } from '../exit.js';
import { engineOptions, engineSettings, outputOptions } from '../options/common.js';
import { createProgress, type Progress } from '../terminal/progress.js';
import { defineVerb } from '../verb.js';

/** `palimpsest eval`: every mechanism's evaluations, a table, and a report that is one HTML file. */
export const evaluate = defineVerb({
  path: ['eval'],
  description: 'evaluate every mechanism: parity, learning, recall, cost; ends in a table and an HTML report',
  schema: z.object({
    quick: z
      .boolean()
      .default(false)
      .meta({ description: 'small models and few steps: minutes on two cores' }),
    only: z.string().optional().meta({
      description: 'only evaluations whose name contains this text, as in osam/recall',
      value: 'text',
    }),
    out: z
      .string()
      .default('palimpsest-report')
      .meta({ description: 'folder for report.html and results.json', value: 'folder' }),
    seed: z
      .number()
      .int()
      .min(0)
      .default(1337)
      .meta({ description: 'seed of every random choice', value: 'number' }),
    ...engineOptions,
    ...outputOptions,
  }),
  examples: ['palimpsest eval --quick', 'palimpsest eval --quick --only osam --json'],
  async run(options, { output, signal }) {
    const engine = await createEngine(options.engine, engineSettings(options));
    const suite = await chosenEvaluations(options.quick ? 'quick' : 'full', options.only);
    let progress: Progress | undefined;
    try {
      const results = await runSuite(
        suite,
        { name: options.quick ? 'quick' : 'full', engine, seed: options.seed, signal },
        (event) => {
          if (event.type === 'start') {
            const title = `[${event.index + 1}/${event.total}] ${event.evaluation.name}`;
            progress = createProgress({ title, total: 100, quiet: output.quiet });
          } else if (event.type === 'progress') {
            progress?.update(Math.round(event.fraction * 100), event.note);
          } else {
            progress?.stop();
            const { passed, title, seconds } = event.result;
            output.note(`${passed ? '✓' : '✗'} ${title} (${seconds.toFixed(1)} s)`);
          }
        },
      );
      const folder = resolve(options.out);
      await mkdir(folder, { recursive: true });
      await writeFile(join(folder, 'results.json'), `${JSON.stringify(results, null, 2)}\n`);
      await writeFile(join(folder, 'report.html'), await renderReport(results));
      output.print(`\n${formatResults(results)}\n\nReport: ${join(folder, 'report.html')}`);
      output.emit({ ...results, report: join(folder, 'report.html') });
      if (signal.aborted) return ExitCode.interrupted;
      return results.evaluations.every(({ passed }) => passed) ? ExitCode.ok : ExitCode.failed;
    } finally {
      progress?.stop();
      await engine.dispose();
    }
  },
});

async function chosenEvaluations(size: SuiteSize, only: string | undefined): Promise<Evaluation[]> {
  const all = await evaluationSuite(size);
  const chosen = all.filter(({ name }) => name.includes(only ?? ''));
  if (chosen.length > 0) return chosen;
  const names = all.map(({ name }) => name).join(', ');
  throw new InputError(`No evaluation has '${only}' in its name; there are ${names}.`);
}
