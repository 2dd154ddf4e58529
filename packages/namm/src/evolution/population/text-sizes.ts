import type { NDArray } from '@palimpsest/tensor-core';
import type { UpdateReport } from '../../managed/update.js';
import type { TrialOutcome } from '../trial.js';

/** What the cache of one text held, update by update. */
export class TextSizes {
  readonly #updates: {
    readonly seen: number;
    /** `[layers][heads]` */
    readonly kept: readonly (readonly number[])[];
    readonly passing: readonly (readonly number[])[];
  }[] = [];

  constructor(
    private readonly layers: number,
    private readonly heads: number,
  ) {}

  /** @param row of the batch that the text is in */
  add({ seen, layers }: UpdateReport, row: number): void {
    const headsOf = ({ data, shape }: NDArray) =>
      Array.from(data.subarray(row * shape[1]!, (row + 1) * shape[1]!));
    this.#updates.push({
      seen,
      kept: layers.map(({ lengths }) => headsOf(lengths)),
      passing: layers.map(({ passing }) => headsOf(passing)),
    });
  }

  /** Up to a text's own end, since others beside it may go on. */
  until(end: number): Pick<TrialOutcome, 'kept' | 'passing' | 'lengths'> {
    const updates = this.#updates.filter(({ seen }) => seen <= end);
    const since = end - (updates.at(-1)?.seen ?? 0);
    const last =
      updates.at(-1)?.kept ??
      Array.from({ length: this.layers }, () => new Array<number>(this.heads).fill(0));
    return {
      kept: updates.map(({ kept }) => kept),
      passing: updates.map(({ passing }) => passing),
      lengths: last.map((heads) => heads.map((length) => length + since)),
    };
  }
}
