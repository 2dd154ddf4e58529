import { join } from 'node:path';
import { rsmSuiteModelSchema, runRsmSuite } from '@palimpsest/harness';
import { createEngine } from '@palimpsest/tensor-core';
import { z } from 'zod';
import { ExitCode } from '../exit.js';
import { engineOptions, engineSettings, outputOptions } from '../options/common.js';
import { seedOption } from '../options/sampling.js';
import { createProgress } from '../terminal/progress.js';
import { defineVerb } from '../verb.js';

const percent = (value: number) => `${(100 * value).toFixed(1)} %`;

/** `palimpsest eval rsm-suite`: what RSM's memory can do, as one JSON report, a page and pictures. */
export const rsmSuite = defineVerb({
  path: ['eval', 'rsm-suite'],
  description: 'train small RSMs and measure retrieval, chains, needles, retention, ablations and the leak',
  schema: z.object({
    size: z
      .enum(['smoke', 'quick', 'full'])
      .default('quick')
      .meta({ description: 'how long models are trained and asked' }),
    out: z
      .string()
      .default('rsm-suite')
      .meta({ description: 'folder for report.json, report.html and the pictures', value: 'folder' }),
    ...rsmSuiteModelSchema.shape,
    ...seedOption,
    ...engineOptions,
    ...outputOptions,
  }),
  examples: [
    'palimpsest eval rsm-suite',
    'palimpsest eval rsm-suite --size full --num-memory-slots 8 --json',
  ],
  async run(options, { output, signal }) {
    const engine = await createEngine(options.engine, engineSettings(options));
    const progress = createProgress({ title: 'rsm-suite', total: 100, unit: '%', quiet: output.quiet });
    const { size, seed, out: folder } = options;
    try {
      const report = await runRsmSuite({
        engine,
        folder,
        size,
        seed,
        signal,
        model: rsmSuiteModelSchema.parse(options),
        onProgress: (fraction, note) => progress.update(Math.round(100 * fraction), note),
      });
      progress.stop();
      const { chunks, amongAnswers, chance } = report.retrieval.accuracies.at(-1)!;
      output.print(
        `retrieval over ${chunks} chunks: ${percent(amongAnswers.value)} right, chance ${percent(chance)}\nreport: ${join(folder, 'report.html')}`,
      );
      output.emit({ ...report, folder });
      return ExitCode.ok;
    } finally {
      progress.stop();
      await engine.dispose();
    }
  },
});
