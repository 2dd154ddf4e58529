import { expect, it } from 'vitest';
import { z } from 'zod';
import { optionsFile } from '../../../options.base.js';
import { type TransformerOptions, transformerConfigSchema } from '../src/config.js';

/** Both types take the same options; the compiler refuses this line otherwise. */
type Inferred = z.input<typeof transformerConfigSchema>;
const same = (options: Inferred): TransformerOptions =>
  options satisfies TransformerOptions satisfies Inferred;

it('options are written with the texts of their schema', async () => {
  const file = optionsFile({
    name: 'TransformerOptions',
    about: 'What a user gives: what has no default, and whatever shall differ from the defaults.',
    schema: z.toJSONSchema(transformerConfigSchema, { io: 'input' }),
  });
  expect(same).toBeTypeOf('function');
  await expect(file).toMatchFileSnapshot('../src/options.ts');
});
