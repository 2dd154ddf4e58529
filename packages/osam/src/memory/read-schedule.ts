import { tf } from '@palimpsest/tensor-core';

/**
 * Which tokens of a run read the memory when only every k-th position does. Rows may start at different positions, so the
 * first reading token differs from row to row; the choice is a product with a one-hot [batch, k], which keeps shapes static
 * and has a cheap gradient.
 */
export class ReadSchedule {
  private constructor(
    readonly every: number,
    /** Tokens of the run. */
    readonly time: number,
    /** float32 [batch, k]: 1 at the reading token of every group of k; absent when every token reads. */
    private readonly offset: tf.Tensor | undefined,
  ) {}

  /**
   * @param start int32 [batch], position of the first token.
   * @param every read at positions divisible by this.
   */
  static of(start: tf.Tensor, time: number, every: number): ReadSchedule {
    if (every === 1) return new ReadSchedule(1, time, undefined);
    const period = tf.scalar(every, 'int32');
    const first = tf.mod(tf.sub(period, tf.mod(start, period)), period);
    const places = tf.tensor2d(
      Int32Array.from({ length: every }, (_, index) => index),
      [1, every],
      'int32',
    );
    const offset = tf.cast(tf.equal(tf.expandDims(first, 1), places), 'float32');
    return new ReadSchedule(every, time, offset);
  }

  /** Reading tokens per row, counting one that may lie behind the end. */
  get reads(): number {
    return Math.ceil(this.time / this.every);
  }

  /** Rows of the reading tokens: [batch, time, width] to [batch, reads, width]. */
  select(x: tf.Tensor): tf.Tensor {
    if (!this.offset) return x;
    const [batch, , width] = x.shape as [number, number, number];
    const padded = this.#padded(x);
    const grouped = tf.reshape(padded, [batch, this.reads, this.every, width]);
    return tf.sum(tf.mul(grouped, this.#choice(batch)), 2);
  }

  /**
   * Puts the reading tokens' rows back in their places and a filling everywhere else.
   * @param rows [batch, reads, width]; @param filling broadcast to [batch, time, width].
   */
  spread(rows: tf.Tensor, filling: tf.Tensor): tf.Tensor {
    if (!this.offset) return rows;
    const [batch, , width] = rows.shape as [number, number, number];
    const choice = this.#choice(batch);
    const placed = tf.mul(tf.expandDims(rows, 2), choice);
    const shape = [batch, this.reads, this.every, width];
    const others = tf.reshape(this.#padded(tf.broadcastTo(filling, [batch, this.time, width])), shape);
    const all = tf.add(placed, tf.mul(others, tf.sub(1, choice)));
    return this.#cut(tf.reshape(all, [batch, -1, width]));
  }

  /**
   * Gives every token the last read at or before it.
   * @param rows [batch, reads, width]; @param held [batch, width], the last read of earlier calls.
   */
  hold(rows: tf.Tensor, held: tf.Tensor): tf.Tensor {
    if (!this.offset) return rows;
    const [batch, reads, width] = rows.shape as [number, number, number];
    const started = tf.reshape(tf.cumsum(this.offset, 1), [batch, 1, this.every, 1]);
    const former = tf.concat([tf.expandDims(held, 1), tf.slice(rows, [0, 0, 0], [-1, reads - 1, -1])], 1);
    const all = tf.add(
      tf.mul(tf.expandDims(rows, 2), started),
      tf.mul(tf.expandDims(former, 2), tf.sub(1, started)),
    );
    return this.#cut(tf.reshape(all, [batch, -1, width]));
  }

  /**
   * A constant that depends on the reading token: given its table over (first reading token, read), [k, reads * width],
   * the rows for every batch row, [batch, reads * width].
   */
  lookUp(table: tf.Tensor): tf.Tensor {
    if (!this.offset) return table;
    return tf.matMul(this.offset as tf.Tensor2D, table as tf.Tensor2D);
  }

  /** The same schedule for a part of the run that starts after whole groups. */
  part(from: number, time: number): ReadSchedule {
    if (from % this.every !== 0)
      throw new RangeError(`${from} tokens are no whole number of groups of ${this.every}.`);
    return new ReadSchedule(this.every, time, this.offset);
  }

  #choice(batch: number): tf.Tensor {
    return tf.reshape(this.offset!, [batch, 1, this.every, 1]);
  }

  #padded(x: tf.Tensor): tf.Tensor {
    const missing = this.reads * this.every - this.time;
    return missing === 0
      ? x
      : tf.pad(x, [
          [0, 0],
          [0, missing],
          [0, 0],
        ]);
  }

  #cut(x: tf.Tensor): tf.Tensor {
    return x.shape[1] === this.time ? x : tf.slice(x, [0, 0, 0], [-1, this.time, -1]);
  }
}
