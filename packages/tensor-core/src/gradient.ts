import { InputError, type MapLeaves, treeLeaves, treeMap } from '@palimpsest/base';
import { tf } from './tf.js';

/**
 * The same values, cut off the gradient tape: nothing before this point receives a gradient through it.
 * TensorFlow.js has no such op; the result shares the memory of its argument.
 */
export function stopGradient<T extends tf.Tensor>(x: T): T {
  const engine = tf.engine();
  const { nextTensorId } = engine as unknown as { nextTensorId(): number };
  const alias = new tf.Tensor(x.shape, x.dtype, x.dataId, nextTensorId.call(engine));
  engine.incRef(alias, null as never);
  return alias as T;
}

/** `stopGradient` on every leaf of a tree. */
export function stopGradientTree<T>(tree: T): T {
  return treeMap<tf.Tensor, tf.Tensor>(tree, (leaf) => stopGradient(leaf)) as T;
}

export interface ValueAndGradient<P, Aux> {
  /** The scalar that was differentiated. */
  readonly value: tf.Scalar;
  /** Gradient per parameter, in the structure of the parameters; `undefined` where no gradient reaches it. */
  readonly gradients: MapLeaves<P, tf.Tensor, tf.Tensor | undefined>;
  readonly aux: Aux;
}

/**
 * Value and gradients of a scalar function of a parameter tree. Unlike `tf.valueAndGrads`, a parameter that the value
 * does not depend on gets `undefined` and no error, so that optimisers can leave it alone.
 * @param fn gives the scalar, or `[scalar, aux]` with a tree of further tensors to keep.
 * @throws InputError when the value is not a scalar.
 */
export function valueAndGradient<P, Aux = undefined>(
  fn: (parameters: P) => tf.Tensor | readonly [tf.Tensor, Aux],
  parameters: P,
): ValueAndGradient<P, Aux> {
  const leaves = treeLeaves<tf.Tensor>(parameters).map(({ leaf }) => leaf);
  let kept: unknown;
  const forward = () => {
    const result = fn(parameters);
    const [value, aux] = (Array.isArray(result) ? result : [result, undefined]) as [tf.Tensor, Aux];
    if (value.size !== 1) {
      throw new InputError(
        `A gradient needs a scalar value, but the function gave shape [${value.shape.join(', ')}].`,
      );
    }
    kept = treeMap<tf.Tensor, tf.Tensor>(aux, (leaf) => tf.keep(tf.clone(leaf)));
    return value.rank === 0 ? value : tf.reshape(value, []);
  };
  const { value, grads } = tf.engine().gradients(forward, leaves, undefined, true);
  const aux = treeMap<tf.Tensor, tf.Tensor>(kept, (leaf) => {
    const copy = stopGradient(leaf);
    leaf.dispose();
    return copy;
  }) as Aux;
  let next = 0;
  const gradients = treeMap<tf.Tensor, tf.Tensor | undefined>(parameters, () => grads[next++] ?? undefined);
  return { value: value as tf.Scalar, gradients: gradients as ValueAndGradient<P, Aux>['gradients'], aux };
}
