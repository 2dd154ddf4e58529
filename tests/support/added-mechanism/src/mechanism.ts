import type { GoldenHandler } from '@palimpsest/base/golden';
import { defineArchitecture, defineContender, type Mechanism, type SequenceModel } from '@palimpsest/lm';
import { embedding, linear, type Rng, tf } from '@palimpsest/tensor-core';
import { z } from 'zod';

interface Params {
  readonly embedding: tf.Tensor;
  readonly output: tf.Tensor;
}

/** How much of the slate is wiped before each token is written. */
const KEPT = 0.5;

/** slate ← KEPT slate + x, read by one matrix: the smallest memory there is. */
function slate(vocabSize: number, width: number): SequenceModel<Params, tf.Tensor> {
  return {
    name: 'slate',
    config: { vocabSize, width },
    vocabSize,
    init: (rng: Rng) => ({
      embedding: rng.normalArray([vocabSize, width], 0, 0.5),
      output: rng.normalArray([vocabSize, width], 0, 0.5),
    }),
    initState: (_params, batch) => tf.zeros([batch, width]),
    forward(params, tokens, state) {
      const [batch, time] = tokens.shape;
      const written = tf.unstack(embedding(params.embedding, tokens), 1);
      let present = state;
      const read = written.map((x) => {
        present = tf.add(tf.mul(present, KEPT), x);
        return present;
      });
      const logits = linear(
        tf.reshape(tf.stack(read, 1), [batch, time, width]),
        params.output,
      ) as tf.Tensor3D;
      return { logits, state: present };
    },
    step(params, token, state) {
      const tokens = tf.reshape(token, [-1, 1]) as tf.Tensor2D;
      const { logits, state: next } = this.forward(params, tokens, state, { training: false });
      return { logits: tf.reshape(logits, [-1, vocabSize]) as tf.Tensor2D, state: next };
    },
  };
}

const options = z.strictObject({ width: z.int().min(1).default(8).describe('numbers on the slate') });

/** What is left of one number after some tokens. */
const golden: readonly GoldenHandler[] = [
  {
    system: 'slate',
    kind: 'wiping',
    run: (testCase) => ({ 'expected/left': KEPT ** testCase.member('tokens', 0) }),
  },
];

export const mechanism: Mechanism = {
  name: 'slate',
  title: 'Slate of the test',
  description: 'A slate that is half wiped before every token.',
  memory: 'fixed',
  architectures: [
    defineArchitecture({
      name: 'slate',
      description: 'a slate that is half wiped before every token',
      options,
      presets: { plain: { description: 'the only one', recipe: { seqLen: 8 } } },
      create: (vocabSize, chosen) => slate(vocabSize, options.parse(chosen).width),
      restore: (config) => slate(Number(config.vocabSize), Number(config.width)),
    }),
  ],
  contenders: [
    defineContender({
      name: 'slate',
      title: 'Slate of the test',
      mechanism: 'slate',
      description: 'A slate that is half wiped before every token.',
      kind: 'trained',
      options,
      learningRate: 0.01,
      create: ({ vocabSize }, { width }) => slate(vocabSize, width),
    }),
  ],
  golden: async () => golden,
};
