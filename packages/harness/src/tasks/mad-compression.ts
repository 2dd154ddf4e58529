import { type AnySequenceModel, type Draw, recallTask } from '@palimpsest/lm';
import { gelu, linear, type NDArray, type Rng, tf, zeros } from '@palimpsest/tensor-core';
import { z } from 'zod';

/** Draws MAD's compression (Poli et al. 2024): random tokens, then the mark that ends them; all are asked for at once. */
export function drawCompression(symbols: number, length: number): Draw {
  return (rng) => {
    const inputs = Int32Array.from({ length }, (_, at) => (at < length - 1 ? rng.int(symbols) : symbols));
    const targets = Int32Array.from(inputs, (token, at) => (at < length - 1 ? token : -1));
    return { inputs, targets };
  };
}

interface CompressionParams {
  readonly model: unknown;
  /** What tells the decoder which place is asked for, [length, code]. */
  readonly places: tf.Tensor;
  readonly hidden: { readonly weight: tf.Tensor; readonly bias: tf.Tensor };
  readonly output: { readonly weight: tf.Tensor; readonly bias: tf.Tensor };
}

/**
 * A model whose one output at the last token is decoded into all tokens before it by a two-layer MLP that is told the place.
 * The output vector (as wide as the model's vocabulary) is the code. Both are trained together; position t of the result
 * predicts token t, so this is no language model, and it can only be asked whole sequences.
 */
export function compressing(
  model: AnySequenceModel,
  { symbols, length, hidden }: { symbols: number; length: number; hidden: number },
): AnySequenceModel {
  const code = model.vocabSize;
  const matrix = (rng: Rng, out: number, into: number): NDArray =>
    rng.normalArray([out, into], 0, 1 / Math.sqrt(into));
  const decode = ({ places, hidden: first, output }: CompressionParams, last: tf.Tensor) => {
    const batch = last.shape[0]!;
    const asked = tf.add(tf.reshape(last, [batch, 1, code]), tf.reshape(places, [1, length, code]));
    return linear(gelu(linear(asked, first.weight, first.bias)), output.weight, output.bias) as tf.Tensor3D;
  };
  // A decoder of the model's own would give the model's logits, not these.
  const { decoder: _, ...rest } = model;
  return {
    ...rest,
    name: `${model.name}-compression`,
    vocabSize: symbols + 1,
    init: (rng: Rng) => ({
      model: model.init(rng),
      places: rng.normalArray([length, code], 0, 1),
      hidden: { weight: matrix(rng, hidden, code), bias: zeros([hidden]) },
      output: { weight: matrix(rng, symbols + 1, hidden), bias: zeros([symbols + 1]) },
    }),
    initState: (params, batch) => model.initState((params as CompressionParams).model, batch),
    forward(params, tokens, state, context) {
      const [batch, time] = tokens.shape;
      // The last token alone is decoded, and places of the result are none of the model's.
      const whole = { ...context, places: undefined };
      const result = model.forward((params as CompressionParams).model, tokens, state, whole);
      const last = tf.reshape(tf.slice(result.logits, [0, time - 1, 0], [batch, 1, code]), [batch, code]);
      return { ...result, logits: decode(params as CompressionParams, last) };
    },
  };
}

/** MAD: how much fits into one state. */
export const madCompression = recallTask({
  name: 'mad-compression',
  title: 'MAD: compression',
  description:
    'Random tokens are read; from the one output at the token behind them a small network must tell every one of them (Poli et al. 2024). The output is as wide as the code option says. Published definition: vocabulary 16, length 32.',
  shape: {
    symbols: z.int().min(2).default(16).describe('different tokens'),
    length: z.int().min(2).default(32).describe('tokens of a sequence, the mark among them'),
    code: z.int().min(2).default(128).describe('width of the output that is decoded'),
    hidden: z.int().min(1).default(128).describe('hidden width of the decoder'),
  },
  plan({ symbols, length, code }) {
    const asking = { slice: { length }, length, draw: drawCompression(symbols, length) };
    return {
      vocabSize: Math.max(code, symbols + 1),
      training: [asking],
      testing: [asking],
      chance: 1 / symbols,
    };
  },
  wrap: (model, { symbols, length, hidden }) => compressing(model, { symbols, length, hidden }),
});
