import { tf } from '@palimpsest/tensor-core';
import type { LambdaParams } from '../parameters.js';
import { lambdaInit } from '../plan.js';
import { groupNorm } from '../products.js';
import { read, type Stage } from './attention-stage.js';
import type { PassContext } from './pass-context.js';

/** The difference of two attentions, normalised per head (Ye et al. 2024). @param probabilities of both, `[l·H, batch, queries, keys]` */
export function readDifference(
  context: PassContext,
  [first, second]: readonly tf.Tensor[],
  stage: Stage,
): tf.Tensor {
  const difference = tf.sub(first!, tf.mul(lambdaOf(context), second!));
  const normal = groupNorm(read(difference, stage), context.params.outputNorm!);
  return context.setup.config.stackedAttn ? tf.mul(normal, keptShare(context)) : normal;
}

/** λ of every head, `[l·H, 1, 1, 1]`: exp(λq₁·λk₁) − exp(λq₂·λk₂) + λ₀. */
function lambdaOf({ params, frame, setup }: PassContext): tf.Tensor {
  const { query1, key1, query2, key2 } = params.lambda as LambdaParams;
  const dot = (a: tf.Tensor, b: tf.Tensor) => tf.exp(tf.sum(tf.mul(a, b), 2));
  const first = tf.tensor2d(frame.places.map(({ layer }) => [lambdaInit(layer)]));
  const lambda = tf.add(tf.sub(dot(query1, key1), dot(query2, key2)), first);
  return tf.reshape(lambda, [frame.places.length * setup.config.numHeads, 1, 1, 1]);
}

/** 1 − λ₀ of every head's layer, `[l·H, 1, 1, 1]`. */
function keptShare({ frame, setup }: PassContext): tf.Tensor {
  const heads = setup.config.numHeads;
  const shares = frame.places.flatMap(({ layer }) => new Array<number>(heads).fill(1 - lambdaInit(layer)));
  return tf.tensor4d(shares, [shares.length, 1, 1, 1]);
}
