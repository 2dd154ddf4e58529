import { rotaryAngles, tf } from '@palimpsest/tensor-core';
import type { OmConfig } from './config.js';
import { type PassPlan, tableLength } from './plan.js';

/** Cosines and sines of rows, `[.., rows, pairs]` each. */
export interface Angles {
  readonly cos: tf.Tensor;
  readonly sin: tf.Tensor;
}

export type RopeVariant = OmConfig['ropeVariant'];

/**
 * Angles of the rows 0 to length − 1, row-major `[length, turned / 2]`. `standard`: (row + 1) base^(−2m / turned);
 * `reference`: (row + 1) base^(−2(m + 1)), without the division by the width, so that base 10000 hardly turns anything;
 * `rotateHalf`: row base^(−2m / turned).
 */
export function angleTable(
  variant: RopeVariant,
  turned: number,
  base: number,
  length: number,
): { readonly cos: Float32Array<ArrayBuffer>; readonly sin: Float32Array<ArrayBuffer> } {
  const first = variant === 'rotateHalf' ? 0 : 1;
  const rows = Array.from({ length }, (_, row) => row + first);
  if (variant !== 'reference') return rotaryAngles(rows, turned, base);
  const half = turned / 2;
  const of = (turn: (angle: number) => number) =>
    Float32Array.from({ length: length * half }, (_, i) =>
      turn(rows[Math.floor(i / half)]! * base ** (-2 * ((i % half) + 1))),
    );
  return { cos: of(Math.cos), sin: of(Math.sin) };
}

/**
 * Where component `i` of a published query or key stands in ours. The published editions turn the pairs (2m, 2m + 1); ours
 * are (m, m + turned / 2), which gives the same products of query and key.
 */
export function componentPlace(variant: RopeVariant, turned: number, i: number): number {
  if (variant === 'rotateHalf' || i >= turned) return i;
  return i % 2 === 0 ? i / 2 : (turned + i - 1) / 2;
}

/** Rotary angles of one pass for any rows of a segment's layout. */
export class PassAngles {
  readonly #table: Angles;

  constructor(config: OmConfig, plan: PassPlan) {
    const { turned, base } = plan.rope!;
    const length = tableLength(config);
    const { cos, sin } = angleTable(config.ropeVariant, turned, base, length);
    this.#table = {
      cos: tf.tensor2d(cos, [length, turned / 2]),
      sin: tf.tensor2d(sin, [length, turned / 2]),
    };
  }

  /** @param rows row numbers, int32 `[rows]` or `[batch, rows]`; a plain range costs a slice only. */
  at(rows: RowNumbers): Angles {
    const pick = (table: tf.Tensor) =>
      rows instanceof tf.Tensor ? tf.gather(table, rows) : tf.slice(table, [rows.first, 0], [rows.count, -1]);
    return { cos: pick(this.#table.cos), sin: pick(this.#table.sin) };
  }
}

/** Places in the layout [read | tokens | write]. */
export type RowNumbers = { readonly first: number; readonly count: number } | tf.Tensor;

/**
 * Turns the first components of the last axis, the pairs (m, m + pairs); the rest passes through.
 * @param x `[groups, batch, rows, parts, width]`
 * @param angles `[rows, pairs]`, or `[batch, rows, pairs]`
 */
export function rotate(x: tf.Tensor, { cos, sin }: Angles): tf.Tensor {
  const pairs = cos.shape.at(-1)!;
  const width = x.shape.at(-1)!;
  const shape = [1, cos.rank === 3 ? cos.shape[0]! : 1, cos.shape.at(-2)!, 1, pairs];
  const [c, s] = [tf.reshape(cos, shape), tf.reshape(sin, shape)];
  const rest = width - 2 * pairs;
  const [a, b, kept] = tf.split(x, rest > 0 ? [pairs, pairs, rest] : [pairs, pairs], -1);
  const turned = [tf.sub(tf.mul(a!, c), tf.mul(b!, s)), tf.add(tf.mul(b!, c), tf.mul(a!, s))];
  return tf.concat(rest > 0 ? [...turned, kept!] : turned, -1);
}
