import { describeEntry, formatEntry, profilesOf } from '@palimpsest/harness';
import { z } from 'zod';
import { ExitCode } from '../exit.js';
import { outputOptions } from '../options/common.js';
import { defineVerb } from '../verb.js';

/** `palimpsest describe`: everything there is to know about a task, a model or a profile. */
export const describe = defineVerb({
  path: ['describe'],
  description: 'explain a task, a model or a profile: what it is, its options with their defaults, chance',
  arguments: [{ name: 'name', description: 'name of a task, a model or a profile', required: true }],
  schema: z.object(outputOptions),
  examples: ['palimpsest describe mqar', 'palimpsest describe osam --json', 'palimpsest describe quick'],
  async run(_, { output, registry }, [name]) {
    const entry = describeEntry(registry, await profilesOf(registry), name!);
    output.print(formatEntry(entry, output.width));
    output.emit(entry);
    return ExitCode.ok;
  },
});
