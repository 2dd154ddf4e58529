import { maximum } from '@palimpsest/base';
import { canonicalJson } from './canonical-json.js';
import type { CellSpec } from './cell.js';

/** Guesses how long cells take from how long cells like them took. */
export class TimeEstimate {
  readonly #measured = new Map<string, { sum: number; count: number }>();

  /** Notes how long a cell took, seconds. */
  record(spec: CellSpec, seconds: number): void {
    for (const kind of kindsOf(spec)) {
      const { sum, count } = this.#measured.get(kind) ?? { sum: 0, count: 0 };
      this.#measured.set(kind, { sum: sum + seconds, count: count + 1 });
    }
  }

  /** Seconds that cells took which differ in seed and rate alone; undefined when there was none. */
  secondsOfAlike(spec: CellSpec): number | undefined {
    const measured = this.#measured.get(kindsOf(spec)[0]!);
    return measured && measured.sum / measured.count;
  }

  /** Seconds that a cell will take: the mean over the most similar cells; undefined before anything was measured. */
  secondsOf(spec: CellSpec): number | undefined {
    for (const kind of kindsOf(spec)) {
      const measured = this.#measured.get(kind);
      if (measured) return measured.sum / measured.count;
    }
    return undefined;
  }

  /**
   * Seconds until everything is done; undefined before anything was measured.
   * @param waiting cells that have not begun.
   * @param running cells that have, with the seconds since then.
   * @param width cells that run side by side.
   */
  secondsLeft(
    waiting: readonly CellSpec[],
    running: readonly { readonly spec: CellSpec; readonly elapsed: number }[],
    width: number,
  ): number | undefined {
    const rests = [
      ...running.map(({ spec, elapsed }) => Math.max(0, (this.secondsOf(spec) ?? Number.NaN) - elapsed)),
      ...waiting.map((spec) => this.secondsOf(spec) ?? Number.NaN),
    ];
    if (rests.length === 0) return 0;
    const work = rests.reduce((sum, rest) => sum + rest, 0) / Math.max(1, width);
    const total = maximum(rests, work);
    return Number.isNaN(total) ? undefined : total;
  }
}

/** The groups that a cell belongs to, the narrowest first: all but the seed and the rate, task and model, task, any. */
function kindsOf({ task, model = '', taskOptions, modelOptions, engine }: CellSpec): string[] {
  const groups = [[task, model, taskOptions, modelOptions, engine], [task, model], [task], []];
  return groups.map((group) => canonicalJson(group));
}
