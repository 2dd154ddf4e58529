import { tf } from '@palimpsest/tensor-core';
import type { OsamConfig } from '../../config.js';
import { valueDecays } from '../memory.js';

/**
 * Factor on the value read. With `readScale: 'position'` it is 1 / sqrt(t + 1) for all channels. A head that forgets
 * keeps a bounded sum, which that factor would let fade as the stream goes on; `'effective'` counts what the head still
 * holds: 1 / sqrt(1 + (1 - λ^t) / (1 - λ)), which is 1 / sqrt(t + 1) again for λ = 1.
 * @param start int32 [batch], position of the first token.
 * @param positionScale 1 / sqrt(t + 1), [batch, time, 1].
 * @returns [batch, time, 1] or [batch, time, d].
 */
export function valueScale(
  start: tf.Tensor,
  time: number,
  positionScale: tf.Tensor,
  config: OsamConfig,
): tf.Tensor {
  const decays = valueDecays(config);
  if (config.readScale === 'position' || decays.every((decay) => decay === 1)) return positionScale;
  const channels = config.dModel / config.heads;
  const perChannel = (of: (decay: number) => number) =>
    tf.tensor3d(
      decays.flatMap((decay) => new Array<number>(channels).fill(of(decay))),
      [1, 1, config.dModel],
    );
  const offsets = tf.tensor2d(
    Float32Array.from({ length: time }, (_, index) => index),
    [1, time],
  );
  const seen = tf.expandDims(tf.add(tf.expandDims(tf.cast(start, 'float32'), 1), offsets), 2);
  const forgotten = tf.exp(
    tf.mul(
      seen,
      perChannel((decay) => Math.log(decay)),
    ),
  );
  const held = tf.mul(
    tf.sub(1, forgotten),
    perChannel((decay) => (decay === 1 ? 0 : 1 / (1 - decay))),
  );
  const whole = tf.mul(
    seen,
    perChannel((decay) => (decay === 1 ? 1 : 0)),
  );
  return tf.rsqrt(tf.add(tf.add(held, whole), 1));
}
