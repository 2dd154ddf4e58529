import { benchmarks, formatBenchmarks, runBenchmark } from '@palimpsest/harness';
import { InputError } from '@palimpsest/tensor-core';
import { z } from 'zod';
import { ExitCode } from '../exit.js';
import { outputOptions } from '../options/common.js';
import { createProgress } from '../terminal/progress.js';
import { defineVerb } from '../verb.js';

/** `palimpsest bench`: ratios against a baseline that is timed in the same run. */
export const bench = defineVerb({
  path: ['bench'],
  description: 'time engines and mechanisms; prints ratios against a baseline of the same run',
  schema: z.object({
    only: z
      .string()
      .optional()
      .meta({ description: 'only benchmarks whose name contains this text, as in engines', value: 'text' }),
    seconds: z.number().gt(0).default(1).meta({ description: 'time for every case' }),
    ...outputOptions,
  }),
  examples: ['palimpsest bench', 'palimpsest bench --only engines/matmul --seconds 0.2 --json'],
  async run(options, { output, signal }) {
    const all = benchmarks();
    const chosen = all.filter(({ name }) => name.includes(options.only ?? ''));
    if (chosen.length === 0) {
      const names = all.map(({ name }) => name).join(', ');
      throw new InputError(`No benchmark has '${options.only}' in its name; there are ${names}.`);
    }
    const progress = createProgress({
      title: 'bench',
      total: chosen.length,
      unit: 'benchmarks',
      output,
    });
    const results = [];
    for (const [index, benchmark] of chosen.entries()) {
      progress.update(index, benchmark.name);
      results.push(await runBenchmark(benchmark, { seconds: options.seconds, signal }));
    }
    progress.update(chosen.length);
    progress.stop();
    output.print(formatBenchmarks(results, output.width));
    output.emit(results);
    return ExitCode.ok;
  },
});
