import { describeModel } from '@palimpsest/harness';
import { z } from 'zod';
import { ExitCode } from '../exit.js';
import { outputOptions } from '../options/common.js';
import { defineVerb } from '../verb.js';

/** `palimpsest info`: what a checkpoint, a Hugging Face folder or a GGUF file holds. */
export const info = defineVerb({
  path: ['info'],
  description: 'say what a model folder holds: architecture, parameters, bytes of memory, context, training',
  arguments: [
    {
      name: 'checkpoint',
      description: 'run folder, checkpoint, Hugging Face folder or GGUF file',
      required: true,
    },
  ],
  schema: z.object({ ...outputOptions }),
  examples: ['palimpsest info runs/my-run --json'],
  async run(_options, { output, registry }, [path]) {
    const { text, data } = await describeModel(path!, registry, output.width);
    output.print(text);
    output.emit(data);
    return ExitCode.ok;
  },
});
