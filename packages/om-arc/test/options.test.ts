import { expect, it } from 'vitest';
import { z } from 'zod';
import { optionsFile } from '../../../options.base.js';
import { type OmOptions, omConfigSchema } from '../src/config.js';

/** Both types take the same options; the compiler refuses this line otherwise. */
type Inferred = z.input<typeof omConfigSchema>;
const same = (options: Inferred): OmOptions => options satisfies OmOptions satisfies Inferred;

it('options are written with the texts of their schema', async () => {
  const file = optionsFile({
    name: 'OmOptions',
    about: 'What a user gives: what has no default, and whatever shall differ from the defaults.',
    schema: z.toJSONSchema(omConfigSchema, { io: 'input' }),
  });
  expect(same).toBeTypeOf('function');
  await expect(file).toMatchFileSnapshot('../src/options.ts');
});
