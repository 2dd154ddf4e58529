import { describeCheckpoint, formatCheckpoint } from '@palimpsest/harness';
import { z } from 'zod';
import { ExitCode } from '../exit.js';
import { outputOptions } from '../options/common.js';
import { defineVerb } from '../verb.js';

/** `palimpsest info`: what a checkpoint holds. */
export const info = defineVerb({
  path: ['info'],
  description: 'say what a checkpoint holds: architecture, parameters, bytes of memory, training',
  arguments: [{ name: 'checkpoint', description: 'run folder or checkpoint', required: true }],
  schema: z.object({ ...outputOptions }),
  examples: ['palimpsest info runs/my-run --json'],
  async run(_options, { output }, [path]) {
    const description = await describeCheckpoint(path!);
    output.print(formatCheckpoint(description));
    output.emit(description);
    return ExitCode.ok;
  },
});
