import { expect, it } from 'vitest';
import { z } from 'zod';
import { optionsFile } from '../../../options.base.js';
import { type NAMMOptions, nammConfigSchema } from '../src/config.js';

/** All that the schema takes are options; the compiler refuses this line otherwise. */
const taken = (options: z.input<typeof nammConfigSchema>): NAMMOptions => options;

it('options are written with the texts of their schema', async () => {
  const file = optionsFile({
    name: 'PolicyOptions',
    about: 'What a user gives: whatever shall differ from the defaults; `normalise: true` is its default.',
    schema: z.toJSONSchema(nammConfigSchema, { io: 'input' }),
    also: { normalise: 'true' },
  });
  expect(taken({ nFft: 16 })).toEqual({ nFft: 16 });
  await expect(file).toMatchFileSnapshot('../src/options.ts');
});
