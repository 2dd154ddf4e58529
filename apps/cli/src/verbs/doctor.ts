import { diagnose, formatDiagnosis } from '@palimpsest/harness';
import { z } from 'zod';
import { ExitCode } from '../exit.js';
import { engineOptions, engineSettings, outputOptions } from '../options/common.js';
import { defineVerb } from '../verb.js';

/** `palimpsest doctor`: which engine is used, which are missing, why, and the command that helps. */
export const doctor = defineVerb({
  path: ['doctor'],
  description: 'say which engine is used, which are missing, why, and what to do',
  schema: z.object({ ...engineOptions, ...outputOptions }),
  examples: ['palimpsest doctor', 'palimpsest doctor --engine onnx-web --json'],
  async run(options, { output }) {
    const diagnosis = await diagnose(options.engine, engineSettings(options));
    output.print(formatDiagnosis(diagnosis, output.width));
    output.emit(diagnosis);
    return diagnosis.healthy ? ExitCode.ok : ExitCode.failed;
  },
});
