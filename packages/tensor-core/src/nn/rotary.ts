import { formatShape, InputError } from '@palimpsest/base';
import { tf } from '../tf.js';
import { rotateHalves, rotateOp } from './rotate.js';

/** Cosines and sines of rotary position embedding, `[positions, dim / 2]` each. */
export interface RotaryTable {
  readonly cos: tf.Tensor;
  readonly sin: tf.Tensor;
}

/** The numbers of a rotary table, row-major `[positions, dim / 2]` each. */
export interface RotaryAngles {
  readonly cos: Float32Array<ArrayBuffer>;
  readonly sin: Float32Array<ArrayBuffer>;
}

/**
 * Angles of rotary position embedding (Su et al. 2021): position · base^(−2i/dim), computed in float64 on the host, so
 * that long positions keep their digits.
 * @param positions absolute positions
 * @param dim width of a head; even
 * @param base default 10000
 * @throws InputError for an odd width.
 */
export function rotaryAngles(positions: readonly number[], dim: number, base = 10000): RotaryAngles {
  if (!Number.isInteger(dim / 2)) {
    throw new InputError(
      `Rotary position embedding turns pairs, so that a head is of even width, not ${dim}.`,
    );
  }
  const half = dim / 2;
  const cos = new Float32Array(positions.length * half);
  const sin = new Float32Array(positions.length * half);
  positions.forEach((position, row) => {
    for (let i = 0; i < half; i++) {
      const angle = position * base ** ((-2 * i) / dim);
      cos[row * half + i] = Math.cos(angle);
      sin[row * half + i] = Math.sin(angle);
    }
  });
  return { cos, sin };
}

/** `rotaryAngles` as tensors. @throws InputError for an odd width. */
export function rotaryTable(positions: readonly number[], dim: number, base = 10000): RotaryTable {
  const { cos, sin } = rotaryAngles(positions, dim, base);
  const shape: [number, number] = [positions.length, dim / 2];
  return { cos: tf.tensor2d(cos, shape), sin: tf.tensor2d(sin, shape) };
}

/**
 * Rotates the two halves of the last axis: [a cos − b sin, b cos + a sin], the layout of Llama and Qwen. In a traced graph that is
 * one node for angles of every row, `[rows, dim / 2]`, or of every text, `[batch, 1, rows, dim / 2]`. Angles are constants: no
 * gradient goes to them.
 * @param x `[..., rows, dim]`
 * @param cos broadcasts to `[..., rows, dim / 2]`
 * @param sin as `cos`
 * @throws InputError when the last axis is not twice as wide as that of the angles.
 */
export function applyRotary(x: tf.Tensor, cos: tf.Tensor, sin: tf.Tensor): tf.Tensor {
  if (x.shape.at(-1) !== 2 * cos.shape.at(-1)! || cos.shape.at(-1) !== sin.shape.at(-1)) {
    throw new InputError(
      `Rotary angles [..., dim / 2] turn values [..., dim], but got ${formatShape(cos.shape)} and ${formatShape(sin.shape)} for ${formatShape(x.shape)}.`,
    );
  }
  const [rows, width] = x.shape.slice(-2) as [number, number];
  const isShared = x.rank > 1 && cos.rank === 2 && cos.shape[0] === rows;
  const isPerText = x.rank === 4 && cos.shape.join() === [x.shape[0]!, 1, rows, width / 2].join();
  if (cos.shape.join() !== sin.shape.join() || !(isShared || isPerText)) return rotateHalves(x, cos, sin);
  const texts = isPerText ? x.shape[0]! : 1;
  const angles = [cos, sin].map((table) => tf.reshape(table, [texts, rows, width / 2]));
  const values = tf.reshape(x, [texts, x.size / (texts * rows * width), rows, width]);
  return tf.reshape(rotateOp([values, ...angles], { backwards: false })[0]!, x.shape);
}
