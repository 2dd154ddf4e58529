import type { MemEntry } from '@palimpsest/fiber-geometry';
import { type NDArray, ndarray } from '@palimpsest/tensor-core';
import type { MemoryConfig } from '../config.js';
import type { PerBundle } from '../prefix/cross-bundle-attention.js';

const SMALLEST = 8;

/** Rows of numbers by id, in the order in which they came, in one array that doubles when it is full. */
class GrowingRows {
  rows: Float32Array;

  constructor(readonly width: number) {
    this.rows = new Float32Array(SMALLEST * width);
  }

  set(row: number, values: ArrayLike<number>): void {
    if ((row + 1) * this.width > this.rows.length) {
      const larger = new Float32Array(2 * this.rows.length);
      larger.set(this.rows);
      this.rows = larger;
    }
    this.rows.set(values, row * this.width);
  }

  /** Moves all rows after one that goes. */
  removeRow(row: number, count: number): void {
    this.rows.copyWithin(row * this.width, (row + 1) * this.width, count * this.width);
    this.rows.fill(0, (count - 1) * this.width, count * this.width);
  }
}

/**
 * Fibers of all memories as one array per bundle, in the order of their ids. Arrays have capacities that double, so that a
 * growing memory makes few graphs; rows beyond the memories are masked.
 */
export class FiberRows {
  readonly #ids: number[] = [];
  readonly #rows: PerBundle<GrowingRows>;

  constructor({ dFTime, dFTopic, dFCtx }: MemoryConfig) {
    this.#rows = {
      time: new GrowingRows(dFTime),
      topic: new GrowingRows(dFTopic),
      ctx: new GrowingRows(dFCtx),
    };
  }

  add(mid: number, { timeFiber, topicFiber, ctxFiber }: MemEntry): void {
    const row = this.#ids.push(mid) - 1;
    this.#rows.time.set(row, timeFiber);
    this.#rows.topic.set(row, topicFiber);
    this.#rows.ctx.set(row, ctxFiber);
  }

  remove(mid: number): void {
    const row = this.#ids.indexOf(mid);
    if (row === -1) return;
    const { time, topic, ctx } = this.#rows;
    for (const rows of [time, topic, ctx]) rows.removeRow(row, this.#ids.length);
    this.#ids.splice(row, 1);
  }

  /** Fibers `[capacity, width]` per bundle, and where there is none, `[prompts, capacity]`. */
  padded(prompts: number): { fibers: PerBundle<NDArray>; ignore: NDArray } {
    const { time, topic, ctx } = this.#rows;
    const capacity = time.rows.length / time.width;
    const of = ({ rows, width }: GrowingRows) => ndarray(rows.slice(), [rows.length / width, width]);
    const ignore = new Float32Array(prompts * capacity);
    for (let row = 0; row < prompts; row++)
      ignore.fill(1, row * capacity + this.#ids.length, (row + 1) * capacity);
    return {
      fibers: { time: of(time), topic: of(topic), ctx: of(ctx) },
      ignore: ndarray(ignore, [prompts, capacity]),
    };
  }
}
