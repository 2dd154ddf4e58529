import { InputError } from '@palimpsest/base';
import type { FloatArray } from './arrays.js';
import { expectIndex, positiveInteger } from './checks.js';
import { CountSketch, type CountSketchOptions } from './count-sketch.js';
import { type CountSketchJson, decodeCountSketches, encodeCountSketches } from './count-sketch-format.js';
import { createIndependentTables, type SketchTable, type TableOptions } from './sketch-table.js';

export interface HeavyHitter {
  readonly item: number;
  readonly estimate: number;
}

export interface MultiCountSketchOptions extends TableOptions, CountSketchOptions {
  /** Number of independent sketches; odd numbers give the sharpest median. */
  readonly rows: number;
}

/**
 * Several independent CountSketches. Every query is the median over the rows, whose probability to be off by more than
 * 3‖x‖/√m falls exponentially with their number (DERIVATION.md, "CountSketch").
 */
export class MultiCountSketch {
  readonly rows: readonly CountSketch[];

  /**
   * @param source sizes, seed and `rows`: tables come from consecutive seeds; or the tables themselves, one per row
   * @throws InputError for sizes that are no positive integers
   */
  constructor(source: MultiCountSketchOptions | readonly SketchTable[]) {
    const tables = isTables(source) ? source : tablesOf(source);
    const options = isTables(source) ? {} : source;
    positiveInteger(tables.length, 'rows');
    const { dim } = tables[0]!;
    for (const [row, table] of tables.entries()) {
      if (table.dim !== dim) {
        throw new InputError(
          `All rows must sketch one vector, but row 0 has dim ${dim} and row ${row} ${table.dim}.`,
        );
      }
    }
    this.rows = tables.map((table) => new CountSketch(table, options));
  }

  /** x_i += delta */
  update(i: number, delta: number): void {
    for (const row of this.rows) row.update(i, delta);
  }

  /** Adds a whole vector `[dim]`. */
  add(vector: FloatArray): void {
    for (const row of this.rows) row.add(vector);
  }

  /** Multiplies the sketched vector by a number. */
  scale(factor: number): void {
    for (const row of this.rows) row.scale(factor);
  }

  /** Median of the rows' estimates of x_i. */
  estimate(i: number): number {
    return median(this.rows.map((row) => row.estimate(i)));
  }

  /** Median of the rows' estimates of the Euclidean norm. */
  norm(): number {
    return median(this.rows.map((row) => row.norm()));
  }

  /** Median of the rows' estimates of the inner product. @throws InputError when tables or numbers of rows differ */
  inner(other: MultiCountSketch): number {
    this.#expectRows(other, 'take the inner product of');
    return median(this.rows.map((row, index) => row.inner(other.rows[index]!)));
  }

  /** Adds the counters of a sketch with the same tables. @throws InputError when tables or numbers of rows differ */
  merge(other: MultiCountSketch): void {
    this.#expectRows(other, 'merge');
    for (const [index, row] of this.rows.entries()) row.merge(other.rows[index]!);
  }

  /**
   * The candidates whose estimate reaches the threshold in magnitude, largest first.
   * @param threshold positive; 2‖x‖/√m finds all entries above 3‖x‖/√m and none below ‖x‖/√m with high probability
   * @param candidates default: every entry
   * @throws InputError for a threshold that is not positive, or a candidate outside of [0, dim)
   */
  heavyHitters(
    threshold: number,
    candidates: Iterable<number> = this.rows[0]!.table.index.keys(),
  ): HeavyHitter[] {
    if (!(threshold > 0)) throw new InputError(`threshold must be positive, but is ${threshold}.`);
    const found: HeavyHitter[] = [];
    for (const item of new Set(candidates)) {
      expectIndex(item, this.rows[0]!.table.dim, 'A candidate');
      const estimate = this.estimate(item);
      if (Math.abs(estimate) >= threshold) found.push({ item, estimate });
    }
    return found.sort((a, b) => Math.abs(b.estimate) - Math.abs(a.estimate) || a.item - b.item);
  }

  toJSON(): { readonly rows: readonly CountSketchJson[] } {
    return { rows: this.rows.map((row) => row.toJSON()) };
  }

  /** @throws InputError naming what is missing or wrong */
  static fromJSON(json: { readonly rows: readonly CountSketchJson[] }): MultiCountSketch {
    if (!Array.isArray(json?.rows)) throw new InputError("The saved sketch lacks the list 'rows'.");
    return MultiCountSketch.#restore(json.rows.map((row) => CountSketch.fromJSON(row)));
  }

  toBytes(): Uint8Array {
    return encodeCountSketches(this.rows);
  }

  /** @throws InputError for bytes that are torn or foreign */
  static fromBytes(bytes: Uint8Array): MultiCountSketch {
    return MultiCountSketch.#restore(decodeCountSketches(bytes));
  }

  static #restore(rows: readonly Pick<CountSketch, 'table' | 'counters'>[]): MultiCountSketch {
    const sketch = new MultiCountSketch(rows.map(({ table }) => table));
    for (const [index, row] of sketch.rows.entries()) row.counters.set(rows[index]!.counters);
    return sketch;
  }

  #expectRows(other: MultiCountSketch, action: string): void {
    if (other.rows.length !== this.rows.length) {
      throw new InputError(`Cannot ${action} sketches of ${this.rows.length} and ${other.rows.length} rows.`);
    }
  }
}

function isTables(
  source: MultiCountSketchOptions | readonly SketchTable[],
): source is readonly SketchTable[] {
  return Array.isArray(source);
}

function tablesOf(options: MultiCountSketchOptions): SketchTable[] {
  positiveInteger(options.rows, 'rows');
  return createIndependentTables(options.rows, options);
}

function median(values: number[]): number {
  const sorted = values.sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
