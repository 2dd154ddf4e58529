import { InputError, type NDArray, ndarray } from '@palimpsest/tensor-core';
import { nextUpdate, type Schedule } from './schedule.js';

/**
 * When texts that are read side by side are looked through: all at once after every interval, or, where updates are adaptive, each
 * when it would be alone.
 */
export class UpdateTimes {
  /** Tokens read, padding counted, at the next update of every text; absent where all have the same. */
  readonly #due: number[] | undefined;

  /** @param padding tokens before each text */
  constructor(
    private readonly schedule: Schedule,
    padding: readonly number[],
    due?: readonly number[],
  ) {
    if (schedule.adaptive) this.#due = [...(due ?? padding.map((before) => nextUpdate(schedule, before, 0)))];
  }

  /**
   * Of texts whose memory was saved.
   * @param due int32 `[batch]`, as `saved` gave it
   * @throws InputError for a memory of the other kind.
   */
  static restored(schedule: Schedule, padding: readonly number[], due: NDArray | undefined): UpdateTimes {
    if (Boolean(schedule.adaptive) !== Boolean(due)) {
      throw new InputError(
        `The memory is of a text whose updates are ${due ? 'adaptive' : 'at a fixed interval'}, and here they are not.`,
      );
    }
    return new UpdateTimes(schedule, padding, due && Array.from(due.data));
  }

  /** What goes into a saved memory. */
  get saved(): { readonly due?: NDArray<'int32'> } {
    return this.#due ? { due: ndarray(Int32Array.from(this.#due), [this.#due.length], 'int32') } : {};
  }

  /** Where the next update of any text comes. */
  next(seen: number): number {
    if (!this.#due) return nextUpdate(this.schedule, seen, 0);
    return Math.min(...this.#due.filter((due) => due > seen), ...this.#late(seen));
  }

  /** Which texts are looked through now; absent: all. */
  dueAt(seen: number): readonly boolean[] | undefined {
    return this.#due?.map((due) => due <= seen);
  }

  /** @param kept entries that the update left of each text, in the longest head of any layer */
  passed(seen: number, kept: readonly number[]): void {
    this.#due?.forEach((due, text) => {
      if (due <= seen) this.#due![text] = nextUpdate(this.schedule, seen, kept[text]!);
    });
  }

  /** The next hop, when an update was left for later. */
  #late(seen: number): number[] {
    const { hopLength } = this.schedule.adaptive!;
    const isLate = this.#due!.some((due) => due <= seen);
    return isLate ? [(Math.floor(seen / hopLength) + 1) * hopLength] : [];
  }
}
