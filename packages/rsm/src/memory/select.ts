import { tf } from '@palimpsest/tensor-core';

/** Rows of `first` where the flag is 1, of `second` where it is 0. @param flag float32 [batch] */
export function selectRows(flag: tf.Tensor, first: tf.Tensor, second: tf.Tensor): tf.Tensor {
  const condition = tf.cast(tf.reshape(flag, [-1, ...new Array<number>(first.rank - 1).fill(1)]), 'bool');
  return tf.where(condition, first, second);
}

/** `selectRows` on every member of a record. */
export function selectRecord<T extends object>(flag: tf.Tensor, first: T, second: T): T {
  return Object.fromEntries(
    Object.entries(first).map(([name, value]) => [
      name,
      selectRows(flag, value as tf.Tensor, (second as Record<string, tf.Tensor>)[name]!),
    ]),
  ) as T;
}
