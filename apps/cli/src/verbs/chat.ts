import { z } from 'zod';
import { engineOptions, outputOptions } from '../options/common.js';
import { newestOrNamed, placeOrNewest, pretrainedOptions } from '../options/pretrained.js';
import { primingOption, samplingAliases, samplingOptions, seedOption } from '../options/sampling.js';
import { spokenMemoryOptions } from '../options/text-memory.js';
import { speak } from '../speak.js';
import { defineVerb } from '../verb.js';

/** `palimpsest chat`: a REPL over one memory, which is kept, saved and restored in constant space. */
export const chat = defineVerb({
  path: ['chat'],
  description: 'talk with a model; its memory is kept from line to line (:help lists the commands)',
  arguments: [newestOrNamed],
  aliases: samplingAliases,
  schema: z.object({
    conversation: z.boolean().default(true).meta({ description: 'keep the memory from line to line' }),
    ...primingOption,
    ...samplingOptions,
    ...seedOption,
    ...pretrainedOptions,
    ...spokenMemoryOptions,
    ...engineOptions,
    quiet: outputOptions.quiet,
  }),
  examples: [
    'palimpsest chat runs/my-run --temp 0.8',
    'palimpsest chat --model model.gguf --memory window --budget 1024 --max-new-tokens 200',
    'palimpsest chat --model model.gguf --memory ams --memory-folder notes --budget 200',
    'echo "To be" | palimpsest chat runs/my-run --no-conversation',
  ],
  run: (options, context, positional) =>
    speak(placeOrNewest(options, positional, context.output), options, context, {
      interactive: true,
      conversation: options.conversation,
    }),
});
