import { z } from 'zod';
import { engineOptions, outputOptions } from '../options/common.js';
import { newestOrNamed, placeOrNewest, pretrainedOptions } from '../options/pretrained.js';
import { primingOption, samplingAliases, samplingOptions, seedOption } from '../options/sampling.js';
import { spokenMemoryOptions } from '../options/text-memory.js';
import { speak } from '../speak.js';
import { defineVerb } from '../verb.js';

/** `palimpsest generate`: one reply to a prompt, streamed as it is written. */
export const generate = defineVerb({
  path: ['generate'],
  description: 'continue a prompt, token by token',
  arguments: [newestOrNamed],
  aliases: samplingAliases,
  schema: z.object({
    prompt: z.string().default('').meta({ description: 'text to go on from', value: 'text' }),
    promptPath: z.string().optional().meta({
      description: "file to go on from, which is not printed again; '-': standard input",
      value: 'path',
    }),
    stop: z
      .string()
      .optional()
      .meta({ description: 'text that ends the reply and is left out', value: 'text' }),
    ...primingOption,
    ...samplingOptions,
    ...seedOption,
    ...pretrainedOptions,
    ...spokenMemoryOptions,
    ...engineOptions,
    ...outputOptions,
  }),
  examples: [
    'palimpsest generate runs/my-run --prompt "To be" --temp 0.8 --topk 40 --max-new-tokens 200',
    'palimpsest generate --model models/Qwen2.5-0.5B --prompt "To be" --memory sinks --budget 1024',
  ],
  run: (options, context, positional) =>
    speak(placeOrNewest(options, positional, context.output), options, context, {
      interactive: false,
      conversation: false,
    }),
});
