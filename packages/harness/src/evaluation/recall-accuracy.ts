import { type AnySequenceModel, type BatchSource, IGNORED_TARGET } from '@palimpsest/lm';
import { type Engine, tf } from '@palimpsest/tensor-core';

/** Share of counted positions whose most likely token is right, with its standard error. */
export interface Accuracy {
  readonly value: number;
  readonly standardError: number;
  /** Positions that count. */
  readonly samples: number;
}

/** Measures a model on batches of a source whose lanes each begin with a fresh memory. */
export async function measureAccuracy(
  engine: Engine,
  model: AnySequenceModel,
  params: unknown,
  source: BatchSource,
  batches: number,
): Promise<Accuracy> {
  const guess = engine.compile(
    (weights: unknown, tokens: tf.Tensor2D) => {
      const state = model.initState(weights, source.batch);
      return tf.argMax(model.forward(weights, tokens, state, { training: false }).logits, 2);
    },
    { name: `${model.name}.guess` },
  );
  let right = 0;
  let samples = 0;
  try {
    for (let batch = 0; batch < batches; batch++) {
      const { inputs, targets } = source.next();
      const guesses = await guess(params as never, inputs);
      const ids = await guesses.data();
      guesses.dispose();
      targets.data.forEach((target, index) => {
        if (target === IGNORED_TARGET) return;
        samples += 1;
        if (ids[index] === target) right += 1;
      });
    }
  } finally {
    await guess.dispose();
  }
  const value = right / samples;
  return { value, samples, standardError: Math.sqrt((value * (1 - value)) / samples) };
}
