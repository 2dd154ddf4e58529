import { runGolden } from '@palimpsest/base/golden';
import { embeddedGoldenFolder, formatParityReport } from '@palimpsest/harness';
import { createEngine } from '@palimpsest/tensor-core';
import { z } from 'zod';
import { ExitCode } from '../exit.js';
import { engineOptions, engineSettings, outputOptions } from '../options/common.js';
import { createProgress } from '../terminal/progress.js';
import { defineVerb } from '../verb.js';

/** `palimpsest parity`: golden cases of the reference programs, recomputed and compared. */
export const parity = defineVerb({
  path: ['parity'],
  description: 'recompute golden cases and compare every output with its tolerance',
  schema: z.object({
    golden: z.string().optional().meta({
      description: 'folder of golden cases, searched with its subfolders (default: the cases that ship)',
      value: 'folder',
    }),
    system: z.string().optional().meta({ description: 'only the cases of this system', value: 'name' }),
    all: z
      .boolean()
      .default(false)
      .meta({ description: 'a row per compared output, not one per kind of case' }),
    ...engineOptions,
    ...outputOptions,
  }),
  examples: [
    'palimpsest parity',
    'palimpsest parity --system osam --all',
    'palimpsest parity --golden ./golden --engine cpu --json',
  ],
  async run(options, { output, signal, registry }) {
    const engine = await createEngine(options.engine, engineSettings(options));
    const folder = options.golden ?? embeddedGoldenFolder();
    let progress: ReturnType<typeof createProgress> | undefined;
    try {
      const report = await runGolden({
        folder,
        handlers: await registry.golden(),
        engine,
        system: options.system,
        onCase(result, done, total) {
          signal.throwIfAborted();
          progress ??= createProgress({ title: 'parity', total, unit: 'cases', output });
          progress.update(done, `${result.system}/${result.name}`);
        },
      });
      progress?.stop();
      output.print(formatParityReport(report, { all: options.all, width: output.width }));
      output.emit(report);
      return report.failed === 0 && report.passed > 0 ? ExitCode.ok : ExitCode.failed;
    } finally {
      progress?.stop();
      await engine.dispose();
    }
  },
});
