import { z } from 'zod';
import { engineOptions, outputOptions } from '../options/common.js';
import { primingOption, samplingAliases, samplingOptions, seedOption } from '../options/sampling.js';
import { speak } from '../speak.js';
import { defineVerb } from '../verb.js';

/** `palimpsest generate`: one reply to a prompt, streamed as it is written. */
export const generate = defineVerb({
  path: ['generate'],
  description: 'continue a prompt, token by token',
  arguments: [{ name: 'checkpoint', description: 'run folder or checkpoint', required: true }],
  aliases: samplingAliases,
  schema: z.object({
    prompt: z.string().default('').meta({ description: 'text to go on from', value: 'text' }),
    stop: z
      .string()
      .optional()
      .meta({ description: 'text that ends the reply and is left out', value: 'text' }),
    ...primingOption,
    ...samplingOptions,
    ...seedOption,
    ...engineOptions,
    ...outputOptions,
  }),
  examples: ['palimpsest generate runs/my-run --prompt "To be" --temp 0.8 --topk 40 --max-new-tokens 200'],
  run: (options, context, [path]) =>
    speak(path!, options, context, { interactive: false, conversation: false }),
});
