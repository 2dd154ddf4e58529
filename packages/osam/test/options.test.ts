import { expect, it } from 'vitest';
import { z } from 'zod';
import { optionsFile } from '../../../options.base.js';
import { modeOptions, type OsamOptions, osamConfigSchema } from '../src/config.js';

/** Both types take the same options; the compiler refuses this line otherwise. */
type Inferred = { vocabSize: number } & Partial<z.input<typeof osamConfigSchema>>;
const same = (options: Inferred): OsamOptions => options satisfies OsamOptions satisfies Inferred;

it('options are written with the texts of their schema', async () => {
  const { parity, improved } = modeOptions;
  const further = Object.fromEntries(
    Object.entries(improved).map(([name, value]) => [
      name,
      `Default: \`${JSON.stringify(value)}\`, in the mode 'parity' \`${JSON.stringify(parity[name as keyof typeof parity])}\`.`,
    ]),
  );
  const file = optionsFile({
    name: 'OsamOptions',
    about: 'What a user gives: the vocabulary size, and whatever shall differ from the defaults.',
    schema: z.toJSONSchema(osamConfigSchema, { io: 'input' }),
    required: ['vocabSize'],
    further,
  });
  expect(same({ vocabSize: 2 })).toEqual({ vocabSize: 2 });
  await expect(file).toMatchFileSnapshot('../src/options.ts');
});
