import { expect, it } from 'vitest';
import { z } from 'zod';
import { optionsFile } from '../../../options.base.js';
import { type RsmOptions, rsmConfigSchema } from '../src/config.js';
import { presetOptions } from '../src/presets.js';

/** Both types take the same options; the compiler refuses this line otherwise. */
type Inferred = { vocabSize: number } & Partial<z.input<typeof rsmConfigSchema>>;
const same = (options: Inferred): RsmOptions => options satisfies RsmOptions satisfies Inferred;

it('options are written with the texts of their schema', async () => {
  const { parallel } = presetOptions;
  const further = Object.fromEntries(
    Object.entries(parallel).map(([name, value]) => [
      name,
      `Default of the preset 'parallel': \`${JSON.stringify(value)}\`.`,
    ]),
  );
  const file = optionsFile({
    name: 'RsmOptions',
    about: 'What a user gives: the vocabulary size, and whatever shall differ from the defaults.',
    schema: z.toJSONSchema(rsmConfigSchema, { io: 'input' }),
    required: ['vocabSize'],
    further,
  });
  expect(same({ vocabSize: 2 })).toEqual({ vocabSize: 2 });
  await expect(file).toMatchFileSnapshot('../src/options.ts');
});
