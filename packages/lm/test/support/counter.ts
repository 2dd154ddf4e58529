import { tf, zeros } from '@palimpsest/tensor-core';
import type { SequenceModel } from '../../src/index.js';

type Params = { readonly unused: tf.Tensor };
type State = { readonly sum: tf.Tensor };

/**
 * Gives logit 5 to the successor of the last token, 0 to the others; or, adding, to the sum of all tokens modulo the
 * vocabulary. What it says next is known in advance.
 */
export function counter(vocabSize: number, adds = false): SequenceModel<Params, State> {
  const logitsOf = (target: tf.Tensor) =>
    tf.mul(
      tf.oneHot(tf.mod(target, tf.scalar(vocabSize, 'int32')) as tf.Tensor1D, vocabSize, 1, 0, 'float32'),
      5,
    ) as tf.Tensor2D;
  const advance = (token: tf.Tensor, state: State) => {
    const sum = tf.add(state.sum, token);
    const target = adds ? sum : tf.add(token, tf.scalar(1, 'int32'));
    return { logits: logitsOf(target), state: { sum } };
  };
  return {
    name: 'counter',
    config: { vocabSize, adds },
    vocabSize,
    init: () => ({ unused: zeros([1]) }),
    initState: (_params, batch) => ({ sum: tf.zeros([batch], 'int32') }),
    forward: (_params, tokens, state) => {
      const logits: tf.Tensor2D[] = [];
      let current = state;
      for (const token of tf.unstack(tokens, 1)) {
        const result = advance(token, current);
        logits.push(result.logits);
        current = result.state;
      }
      return { logits: tf.stack(logits, 1) as tf.Tensor3D, state: current };
    },
    step: (_params, token, state) => advance(token, state),
  };
}
