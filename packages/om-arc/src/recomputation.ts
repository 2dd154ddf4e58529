import { tf, treeLeaves, treeMap, valueAndGradient } from '@palimpsest/tensor-core';
import type { LayerStack } from './layer-stack.js';

type Step = (layers: LayerStack, x: tf.Tensor, state: tf.Tensor) => { x: tf.Tensor; state: tf.Tensor };

/**
 * Runs a gradient inside of another one's backward pass. TensorFlow.js keeps one tape, which the inner gradient would take
 * away from the outer one.
 */
function onOwnTape<T>(differentiate: () => T): T {
  const { state } = tf.engine() as unknown as { readonly state: { activeTape: unknown } };
  const outer = state.activeTape;
  try {
    return differentiate();
  } finally {
    state.activeTape = outer;
  }
}

/**
 * A step whose inside is not kept for the gradient but computed again from what entered it (Chen et al. 2016): memory for
 * time. What enters is tied to the arriving gradient, so that a graph's compiler does not merge both computations into one.
 */
export function recomputed(
  step: Step,
  layers: LayerStack,
  x: tf.Tensor,
  state: tf.Tensor,
): { x: tf.Tensor; state: tf.Tensor } {
  const leaves = treeLeaves<tf.Tensor>(layers).map(({ leaf }) => leaf);
  const rebuild = (tensors: readonly tf.Tensor[]) => {
    let next = 0;
    return treeMap<tf.Tensor, tf.Tensor>(layers, () => tensors[next++]!) as LayerStack;
  };
  const rows = x.shape[2]!;
  const joined = (inputs: readonly tf.Tensor[]) => {
    const result = step(rebuild(inputs.slice(2)), inputs[0]!, inputs[1]!);
    return tf.concat([result.x, result.state], 2);
  };
  const value = tf.customGrad((...args: unknown[]) => {
    const save = args.pop() as tf.GradSaveFunc;
    const inputs = args as tf.Tensor[];
    save(inputs);
    return {
      value: joined(inputs),
      gradFunc: (dy: tf.Tensor, saved: tf.Tensor[]) => {
        const zero = tf.mul(tf.sum(dy), 0);
        const tied = saved.map((tensor) => tf.add(tensor, zero));
        const { gradients } = onOwnTape(() =>
          valueAndGradient((tensors: tf.Tensor[]) => tf.sum(tf.mul(joined(tensors), dy)), tied),
        );
        return (gradients as (tf.Tensor | undefined)[]).map(
          (gradient, i) => gradient ?? tf.zerosLike(saved[i]!),
        );
      },
    };
  })(x, state, ...leaves) as tf.Tensor;
  const [after, left] = tf.split(value, [rows, value.shape[2]! - rows], 2);
  return { x: after!, state: left! };
}
