// A mechanism of your own in one file: moving averages of the text that forget at different speeds. Its card makes it known
// everywhere, without touching Palimpsest:
//   palimpsest train moving-average --plugin ./moving-average.mjs --steps 300 --out runs/averages
//   palimpsest generate runs/averages --plugin ./moving-average.mjs --prompt "Ada"
//   palimpsest sweep --plugin ./moving-average.mjs --tasks mqar --models moving-average,osam
import { defineArchitecture, defineContender } from '@palimpsest/lm';
import { embedding, full, linear, rmsNorm, tf } from '@palimpsest/tensor-core';
import { z } from 'zod';

const options = {
  width: z.int().min(1).default(32).describe('numbers per token'),
  speeds: z
    .int()
    .min(1)
    .default(4)
    .describe('averages; the slowest forgets half in 2 ** (speeds - 1) tokens'),
};

/**
 * averages[k] ← γ_k averages[k] + (1 - γ_k) x, read together by one gated layer. The parallel form is a product with the
 * powers of γ_k; `step` is `forward` over one token.
 */
function movingAverage({ vocabSize, width, speeds }) {
  const decays = Array.from({ length: speeds }, (_, k) => 0.5 ** (1 / 2 ** k));
  return {
    name: 'moving-average',
    config: { vocabSize, width, speeds },
    vocabSize,
    init: (rng) => ({
      embedding: rng.normalArray([vocabSize, width], 0, width ** -0.5),
      gain: full([(speeds + 1) * width], 1),
      gate: rng.normalArray([width, (speeds + 1) * width], 0, width ** -0.5),
      read: rng.normalArray([width, (speeds + 1) * width], 0, width ** -0.5),
      output: rng.normalArray([vocabSize, width], 0, width ** -0.5),
    }),
    // One average per speed: [batch, speeds, width], however long the text is.
    initState: (_, batch) => tf.zeros([batch, speeds, width]),
    forward(params, tokens, state) {
      const [batch, time] = tokens.shape;
      const x = embedding(params.embedding, tokens);
      const within = table([1, speeds, time, time], ([, k, t, s]) =>
        s <= t ? (1 - decays[k]) * decays[k] ** (t - s) : 0,
      );
      const sinceStart = table([1, speeds, time, 1], ([, k, t]) => decays[k] ** (t + 1));
      const averages = tf.add(
        tf.matMul(within, tf.reshape(x, [batch, 1, time, width])),
        tf.mul(sinceStart, tf.reshape(state, [batch, speeds, 1, width])),
      );
      const seen = tf.reshape(tf.transpose(averages, [0, 2, 1, 3]), [batch, time, speeds * width]);
      const all = rmsNorm(tf.concat([x, seen], 2), params.gain);
      const hidden = tf.mul(tf.sigmoid(linear(all, params.gate)), linear(all, params.read));
      const last = tf.slice(averages, [0, 0, time - 1, 0], [batch, speeds, 1, width]);
      return { logits: linear(hidden, params.output), state: tf.reshape(last, [batch, speeds, width]) };
    },
    step(params, token, state) {
      const { logits, state: next } = this.forward(params, tf.reshape(token, [-1, 1]), state);
      return { logits: tf.reshape(logits, [-1, vocabSize]), state: next };
    },
  };
}

/** A constant of a shape, from its indices. */
function table(shape, value) {
  const size = shape.reduce((product, length) => product * length, 1);
  const values = Float32Array.from({ length: size }, (_, index) => {
    let rest = index;
    const at = shape.map(() => 0);
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      at[axis] = rest % shape[axis];
      rest = Math.floor(rest / shape[axis]);
    }
    return value(at);
  });
  return tf.tensor(values, shape);
}

const architecture = defineArchitecture({
  name: 'moving-average',
  description: 'averages of the text that forget at different speeds',
  options: z.strictObject(options),
  presets: {
    small: {
      description: 'four averages of 32 numbers',
      recipe: { steps: 300, seqLen: 32, learningRate: 0.01 },
    },
  },
  create: (vocabSize, chosen) => movingAverage({ ...z.strictObject(options).parse(chosen), vocabSize }),
  restore: (config) => movingAverage(config),
});

const contender = defineContender({
  name: 'moving-average',
  title: 'Moving averages',
  mechanism: 'moving-average',
  description: 'Averages of the text that forget at different speeds.',
  kind: 'trained',
  options: z.strictObject(options),
  learningRate: 0.01,
  create: ({ vocabSize }, chosen) => movingAverage({ ...chosen, vocabSize }),
});

/** The card: what `--plugin` looks for. */
export const mechanism = {
  name: 'moving-average',
  title: 'Moving averages',
  description: 'Averages of the text that forget at different speeds.',
  memory: 'fixed',
  architectures: [architecture],
  contenders: [contender],
};
