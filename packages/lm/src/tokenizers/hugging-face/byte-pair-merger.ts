import { MergeQueue } from './merge-queue.js';
import type { MergeTable } from './merge-table.js';

const NONE = -1;

/** Merges the ids of one word: the pair of lowest rank, the leftmost of them first, until none is left. */
export class BytePairMerger {
  readonly #queue = new MergeQueue();
  #ids = new Int32Array(64);
  /** Places of the neighbours; a merged symbol's right half has no id any more. */
  #next = new Int32Array(64);
  #previous = new Int32Array(64);

  constructor(private readonly merges: MergeTable) {}

  merge(initial: readonly number[]): number[] {
    const count = initial.length;
    if (count < 2) return [...initial];
    this.#start(initial);
    const [ids, next, previous, queue, merges] = [
      this.#ids,
      this.#next,
      this.#previous,
      this.#queue,
      this.merges,
    ];
    while (queue.pop()) {
      const place = queue.place;
      const right = next[place]!;
      if (ids[place] === NONE || right === NONE) continue;
      const result = merges.resultOf(queue.rank);
      const rank = merges.rankOf(ids[place]!, ids[right]!);
      // A pair that changed since is outdated, unless it makes the same token in another way: as the original does it.
      if (rank < 0 || merges.resultOf(rank) !== result) continue;
      ids[place] = result;
      ids[right] = NONE;
      const after = next[right]!;
      next[place] = after;
      if (after !== NONE) previous[after] = place;
      if (previous[place] !== NONE) this.#offer(previous[place]!);
      this.#offer(place);
    }
    const merged: number[] = [];
    for (let at = 0; at !== NONE; at = next[at]!) merged.push(ids[at]!);
    return merged;
  }

  #start(initial: readonly number[]): void {
    const count = initial.length;
    if (count > this.#ids.length) {
      const size = 2 ** Math.ceil(Math.log2(count));
      this.#ids = new Int32Array(size);
      this.#next = new Int32Array(size);
      this.#previous = new Int32Array(size);
    }
    for (let at = 0; at < count; at++) {
      this.#ids[at] = initial[at]!;
      this.#next[at] = at + 1 < count ? at + 1 : NONE;
      this.#previous[at] = at - 1;
    }
    this.#queue.clear();
    for (let at = 0; at + 1 < count; at++) this.#offer(at);
  }

  #offer(place: number): void {
    const right = this.#next[place]!;
    if (right === NONE) return;
    const rank = this.merges.rankOf(this.#ids[place]!, this.#ids[right]!);
    if (rank >= 0) this.#queue.push(rank, place);
  }
}
