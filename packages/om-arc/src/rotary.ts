import { rotaryAngles, tf } from '@palimpsest/tensor-core';
import type { OmConfig } from './config.js';
import { type PassPlan, tableLength } from './plan.js';

/** How rows are turned: factors of every component, and of its partner, `[.., rows, parts · width]` each. */
export interface Angles {
  /** Pairs of a part that are turned. */
  readonly pairs: number;
  readonly parts: number;
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

/**
 * Tables of the rows 0 to length − 1 for parts that lie side by side.
 * @param factors one per part, which its components are multiplied with
 * @param width of a part, of which the first `turned` components are turned
 */
export function partAngles(
  { cos, sin }: ReturnType<typeof angleTable>,
  turned: number,
  width: number,
  factors: readonly number[],
): Angles {
  const half = turned / 2;
  const length = cos.length / half;
  const whole = factors.length * width;
  const table = (of: (pair: number, component: number) => number) => {
    const values = Float32Array.from({ length: length * whole }, (_, i) => {
      const [row, column] = [Math.floor(i / whole), i % whole];
      const component = column % width;
      return factors[Math.floor(column / width)]! * of(row * half + (component % half), component);
    });
    return tf.tensor2d(values, [length, whole]);
  };
  return {
    pairs: half,
    parts: factors.length,
    cos: table((pair, i) => (i < turned ? cos[pair]! : 1)),
    sin: table((pair, i) => (i < turned ? (i < half ? -1 : 1) * sin[pair]! : 0)),
  };
}

/** Rotary angles of one pass for any rows of a segment's layout. */
export class PassAngles {
  readonly #table: Angles;

  constructor(config: OmConfig, { keyWidth, scale, kind, rope }: PassPlan) {
    const { turned, base } = rope!;
    // Query parts, which take their scale along, then key parts.
    const factors = kind === 'differential' ? [scale, scale, 1, 1] : [scale, 1];
    const table = angleTable(config.ropeVariant, turned, base, tableLength(config));
    this.#table = partAngles(table, turned, keyWidth, factors);
  }

  /** @param rows row numbers, int32 `[rows]` or `[batch, rows]`; a plain range costs a slice only. */
  at(rows: RowNumbers): Angles {
    const pick = (table: tf.Tensor) =>
      rows instanceof tf.Tensor ? tf.gather(table, rows) : tf.slice(table, [rows.first, 0], [rows.count, -1]);
    const { cos, sin, ...shape } = this.#table;
    return { ...shape, cos: pick(cos), sin: pick(sin) };
  }
}

/** Places in the layout [read | tokens | write]. */
export type RowNumbers = { readonly first: number; readonly count: number } | tf.Tensor;

/**
 * Turns the first components of every part of queries and keys, the pairs (m, m + pairs), and scales the queries.
 * @param x queries and keys of a pass side by side, `[groups, batch, rows, parts · width]`
 */
export function rotate(x: tf.Tensor, { pairs, parts, cos, sin }: Angles): tf.Tensor {
  const rest = x.shape.at(-1)! / parts - 2 * pairs;
  const widths = rest > 0 ? [pairs, pairs, rest] : [pairs, pairs];
  const pieces = tf.split(x, new Array<number[]>(parts).fill(widths).flat(), -1);
  const order = pieces.map((_, i) => {
    const place = i % widths.length;
    return place === 2 ? i : i + 1 - 2 * place;
  });
  const partners = tf.concat(
    order.map((i) => pieces[i]!),
    -1,
  );
  // Tables that are as wide as the rows are multiplied without a loop over parts.
  const wide = (table: tf.Tensor) =>
    tf.reshape(table, [1, table.rank === 3 ? table.shape[0]! : 1, ...table.shape.slice(-2)]);
  return tf.add(tf.mul(x, wide(cos)), tf.mul(partners, wide(sin)));
}
