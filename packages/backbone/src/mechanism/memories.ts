import { InputError } from '@palimpsest/base';
import type { EvictionPolicy } from '@palimpsest/lm';
import { z } from 'zod';
import { transformerOf } from '../transformer.js';

const windowOptions = z.strictObject({
  budget: z.int().min(1).describe('newest tokens that a query sees, its own included'),
});

/** A cache of the newest tokens, in which a token takes the place of the oldest. */
export const windowMemory: EvictionPolicy = {
  name: 'window',
  title: 'Sliding window',
  description: 'the newest tokens, in constant bytes',
  options: windowOptions,
  apply: (model, options) =>
    transformerOf(model, 'window').withCache({ window: windowOptions.parse(options).budget }),
};

const sinksOptions = windowOptions.extend({
  budget: z.int().min(2).describe('tokens that stay: the first ones, and the newest'),
  sinks: z.int().min(1).default(4).describe('how many of them are the first of the text'),
});

/** The same beside the first tokens, on which attention rests. */
export const sinksMemory: EvictionPolicy = {
  name: 'sinks',
  title: 'Window and attention sinks',
  description: 'the first tokens and the newest, in constant bytes (Xiao et al. 2023)',
  options: sinksOptions,
  apply: (model, options) => {
    const { budget, sinks } = sinksOptions.parse(options);
    if (sinks < budget) return transformerOf(model, 'sinks').withCache({ window: budget - sinks, sinks });
    throw new InputError(
      `A budget of ${budget} tokens leaves no window beside ${sinks} sinks; give at least ${sinks + 1}.`,
    );
  },
};
