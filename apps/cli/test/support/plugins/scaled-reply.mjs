// An architecture over another model, whose logits it scales, and one whose option has the name of a flag of training.
import { defineArchitecture } from '@palimpsest/lm';
import { full, tf, treeMap } from '@palimpsest/tensor-core';
import { z } from 'zod';

function scaledReply({ folder, model, params }) {
  const weights = () => treeMap(params, ({ data, shape, dtype }) => tf.tensor(data, [...shape], dtype));
  const scaled = ({ scale }, { logits, state }) => ({ logits: tf.mul(logits, scale), state });
  return {
    name: 'scaled-reply',
    config: { base: folder },
    vocabSize: model.vocabSize,
    init: () => ({ scale: full([1], 1) }),
    initState: (_, batch) => model.initState(weights(), batch),
    forward: (own, tokens, state) =>
      scaled(own, model.forward(weights(), tokens, state, { training: false })),
    step: (own, token, state) => scaled(own, model.step(weights(), token, state)),
  };
}

export const mechanism = {
  name: 'scaled-reply',
  title: 'Scaled reply',
  description: 'the logits of another model, times one number',
  memory: 'fixed',
  architectures: [
    defineArchitecture({
      name: 'scaled-reply',
      description: 'one number over the logits of another model',
      options: z.object({}),
      presets: { plain: { description: 'as it is' } },
      base: 'required',
      create: (_vocabSize, _options, _preset, base) => scaledReply(base),
      restore: async ({ base }, open) => scaledReply(await open(base)),
    }),
    ...(process.env.CLASHING_OPTION === undefined
      ? []
      : [
          defineArchitecture({
            name: 'clashing',
            description: 'has an option of its own with the name of a flag of training',
            options: z.object({ [process.env.CLASHING_OPTION]: z.int().default(1) }),
            presets: { plain: { description: 'as it is' } },
            create: () => scaledReply,
            restore: () => scaledReply,
          }),
        ]),
  ],
};
