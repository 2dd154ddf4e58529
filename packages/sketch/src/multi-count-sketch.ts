import { positiveInteger } from './checks.js';
import { CountSketch } from './count-sketch.js';
import type { TableOptions } from './sketch-table.js';

export interface HeavyHitter {
  readonly item: number;
  readonly estimate: number;
}

/** Several independent CountSketches; point queries are their median, whose failure probability falls exponentially. */
export class MultiCountSketch {
  readonly rows: readonly CountSketch[];

  /** @param options `rows` sketches from consecutive seeds */
  constructor(options: TableOptions & { readonly rows: number }) {
    positiveInteger(options.rows, 'rows');
    this.rows = Array.from(
      { length: options.rows },
      (_, row) => new CountSketch({ ...options, seed: options.seed + row }),
    );
  }

  /** x_i += delta */
  update(i: number, delta: number): void {
    for (const row of this.rows) row.update(i, delta);
  }

  /** Median of the rows' estimates of x_i. */
  estimate(i: number): number {
    return median(this.rows.map((row) => row.estimate(i)));
  }

  /** Median of the rows' estimates of the Euclidean norm. */
  norm(): number {
    return median(this.rows.map((row) => row.norm()));
  }

  /** @throws RangeError when the tables or the numbers of rows differ */
  merge(other: MultiCountSketch): void {
    if (other.rows.length !== this.rows.length) {
      throw new RangeError(
        `merge needs ${this.rows.length} rows, but the other sketch has ${other.rows.length}.`,
      );
    }
    this.rows.forEach((row, index) => row.merge(other.rows[index]!));
  }

  /** The candidates whose estimate reaches the threshold in magnitude, largest first. */
  heavyHitters(threshold: number, candidates: Iterable<number>): HeavyHitter[] {
    const found: HeavyHitter[] = [];
    for (const item of candidates) {
      const estimate = this.estimate(item);
      if (Math.abs(estimate) >= threshold) found.push({ item, estimate });
    }
    return found.sort((a, b) => Math.abs(b.estimate) - Math.abs(a.estimate) || a.item - b.item);
  }
}

function median(values: number[]): number {
  const sorted = values.sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
