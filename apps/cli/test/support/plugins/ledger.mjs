// A mechanism with everything but a model of the usual kind: a table that learns by a trainer of its own, a task that
// measures a library, golden cases, a command.
import { defineArchitecture, defineTask, train } from '@palimpsest/lm';
import { embedding, tf } from '@palimpsest/tensor-core';
import { z } from 'zod';

/** What follows a token depends on that token alone. */
const table = (vocabSize) => ({
  name: 'ledger',
  config: { vocabSize },
  vocabSize,
  init: (rng) => ({ table: rng.normalArray([vocabSize, vocabSize], 0, 0.1) }),
  initState: (_, batch) => tf.zeros([batch, 1]),
  forward: (params, tokens, state) => ({ logits: embedding(params.table, tokens), state }),
  step: (params, token, state) => ({ logits: embedding(params.table, token), state }),
});

export const mechanism = {
  name: 'ledger',
  title: 'Ledger',
  description: 'A table of what follows what.',
  memory: 'none',
  architectures: [
    defineArchitecture({
      name: 'ledger',
      description: 'a table of what follows what, in rounds of its own',
      options: z.strictObject({}),
      presets: { plain: { description: 'the only one', recipe: { seqLen: 16 } } },
      trainer: {
        options: z.strictObject({
          rounds: z.int().min(1).default(2).describe('rounds of the own trainer, in place of steps'),
        }),
        train: (run, { rounds }) => train({ ...run, settings: { ...run.settings, steps: rounds } }),
      },
      create: table,
      restore: ({ vocabSize }) => table(vocabSize),
    }),
  ],
  tasks: [
    defineTask({
      name: 'ledger-sum',
      family: 'library',
      title: 'Sum of a ledger',
      description: 'Adds entries up.',
      options: z.strictObject({ entries: z.int().min(1).default(3).describe('numbers to add') }),
      contenders: 'none',
      headline: { metric: 'sum', unit: '', higherIsBetter: true },
      run: async ({ seed }, { entries }) => ({
        metrics: [{ name: 'sum', value: seed + (entries * (entries + 1)) / 2, unit: '' }],
      }),
    }),
  ],
  golden: async () => [
    {
      system: 'ledger',
      kind: 'sum',
      run: (testCase) => ({ 'expected/sum': testCase.json.entries.reduce((sum, entry) => sum + entry, 0) }),
    },
  ],
  verbs: [
    {
      path: ['ledger', 'add'],
      description: 'add numbers up',
      arguments: [{ name: 'numbers...', description: 'the numbers', required: true }],
      schema: z.object({
        times: z.int().default(1).describe('factor'),
        json: z.boolean().default(false).describe('print the result as one JSON document'),
      }),
      async run({ times }, { output }, numbers) {
        const sum = times * numbers.reduce((total, number) => total + Number(number), 0);
        output.print(String(sum));
        output.emit({ sum });
        return 0;
      },
    },
  ],
};
