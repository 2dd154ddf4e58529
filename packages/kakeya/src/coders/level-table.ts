import { levelIndex, thresholdsOf } from './lloyd-max.js';

/** A grid over the levels: x is in cell floor((x - left) * perUnit), and no x there has a nearest level below `starts[cell]`. */
export interface LevelGrid {
  readonly left: number;
  readonly perUnit: number;
  readonly starts: Uint16Array;
}

/** Cells per level: few cells then hold more than one threshold. */
const CELLS = 4;

/** Ascending levels of one rate, level j in subset j mod 4. */
export class LevelTable {
  readonly levels: Float64Array;
  readonly thresholds: Float64Array;
  readonly grid: LevelGrid;

  constructor(levels: Float64Array) {
    this.levels = levels;
    this.thresholds = thresholdsOf(levels);
    const [left, right] = [levels[0]!, levels.at(-1)!];
    const cells = CELLS * levels.length;
    const perUnit = right > left ? cells / (right - left) : 0;
    // A little before the cell's own left end, as rounding may put an x of the cell before into it.
    const starts = Uint16Array.from({ length: cells }, (_, cell) => {
      return cell === 0 || perUnit === 0 ? 0 : levelIndex(this.thresholds, left + (cell - 0.01) / perUnit);
    });
    this.grid = { left, perUnit, starts };
  }

  /** Number of the nearest level; ties go up. */
  nearestOfAll(x: number): number {
    const { thresholds } = this;
    const { left, perUnit, starts } = this.grid;
    const cell = Math.max(0, Math.min(Math.floor((x - left) * perUnit), starts.length - 1));
    let level = starts[cell]!;
    while (level < thresholds.length && thresholds[level]! <= x) level += 1;
    return level;
  }

  /** Writes the nearest level of each subset to `chosen[at ...]` and its squared error to `errors`; ties go up. */
  nearest(x: number, chosen: Int32Array, at: number, errors: Float64Array): void {
    const { levels } = this;
    const nearest = this.nearestOfAll(x);
    for (let s = 0; s < 4; s++) {
      // The last level of the subset that is not above the nearest of all, and the one behind it.
      const below = nearest - ((nearest - s) & 3);
      const above = below + 4;
      const isAbove = below < 0 || (above < levels.length && levels[above]! - x <= x - levels[below]!);
      const index = isAbove ? above : below;
      const difference = x - levels[index]!;
      chosen[at + s] = index;
      errors[s] = difference * difference;
    }
  }
}
