import { join } from 'node:path';
import { formatDocument, ResultStore, readEvaluation, writeReport } from '@palimpsest/harness';
import { z } from 'zod';
import { ExitCode } from '../exit.js';
import { outputOptions } from '../options/common.js';
import { quoted } from '../terminal/quoted.js';
import { defineVerb } from '../verb.js';

/** `palimpsest report`: tables and pictures from a result folder, as often as one likes. */
export const report = defineVerb({
  path: ['report'],
  description:
    'write the report of a result folder: HTML page, Markdown, CSV, JSON, and the data of every picture',
  arguments: [{ name: 'folder', description: 'folder that eval or sweep wrote', required: true }],
  schema: z.object({
    out: z
      .string()
      .optional()
      .meta({ description: 'folder for the files (default: the result folder)', value: 'folder' }),
    title: z
      .string()
      .optional()
      .meta({ description: 'heading of the report (default: that of the evaluation)', value: 'text' }),
    ...outputOptions,
  }),
  examples: [
    'palimpsest report palimpsest-report',
    'palimpsest report merged --title "Recall, three machines"',
  ],
  async run({ out, title }, { output, registry }, [path]) {
    const store = await ResultStore.openExisting(path!);
    const folder = out ?? path!;
    const evaluation = await readEvaluation(path!);
    const document = await writeReport(await store.list(), {
      folder,
      registry,
      title: title ?? evaluation?.title,
      commands: [...(evaluation?.commands ?? []), `palimpsest report ${quoted(path!)}`],
    });
    output.print(
      `${formatDocument(document, registry, output.width)}\n\nReport: ${join(folder, 'report.html')}`,
    );
    output.emit({ ...document, report: join(folder, 'report.html') });
    return ExitCode.ok;
  },
});
