import { pairOf, TokenChain } from './token-chain.js';

/** Two ids that become one, in the order in which they were learned. */
export type Merge = readonly [left: number, right: number];

interface Candidate {
  readonly key: number;
  readonly count: number;
}

/** More frequent first; of equally frequent pairs the one with the smaller (left id, right id). */
function precedes(a: Candidate, b: Candidate): boolean {
  return a.count > b.count || (a.count === b.count && a.key < b.key);
}

/** A binary heap of candidates; counts that have changed since are found out when they come to the top. */
class CandidateHeap {
  readonly #items: Candidate[] = [];

  push(item: Candidate): void {
    const items = this.#items;
    let at = items.length;
    items.push(item);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!precedes(item, items[parent]!)) break;
      items[at] = items[parent]!;
      at = parent;
    }
    items[at] = item;
  }

  pop(): Candidate | undefined {
    const items = this.#items;
    const top = items[0];
    const last = items.pop();
    if (top === undefined || last === undefined || items.length === 0) return top;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= items.length) break;
      if (child + 1 < items.length && precedes(items[child + 1]!, items[child]!)) child += 1;
      if (!precedes(items[child]!, last)) break;
      items[at] = items[child]!;
      at = child;
    }
    items[at] = last;
    return top;
  }
}

/**
 * Byte-pair training (Sennrich, Haddow, Birch 2016): merges the most frequent adjacent pair again and again;
 * of equally frequent pairs the one with the smaller (left id, right id). Stops after `maxMerges`, or when no pair occurs
 * twice.
 * @param texts sequences of ids, as of bytes or characters; no merge spans two of them.
 * @param firstId id of the first merge; the others follow it.
 */
export function trainMerges(
  texts: readonly ArrayLike<number>[],
  firstId: number,
  maxMerges: number,
): Merge[] {
  const counts = new Map<number, number>();
  let touched = new Set<number>();
  const chain = new TokenChain(texts, (key, change) => {
    counts.set(key, (counts.get(key) ?? 0) + change);
    if (change > 0) touched.add(key);
  });
  const heap = new CandidateHeap();
  const merges: Merge[] = [];
  while (merges.length < maxMerges) {
    for (const key of touched) heap.push({ key, count: counts.get(key)! });
    touched = new Set();
    const best = popCurrent(heap, counts);
    if (best === undefined || best.count < 2) break;
    const merge = pairOf(best.key);
    chain.merge(merge[0], merge[1], firstId + merges.length);
    merges.push(merge);
  }
  return merges;
}

/** The best candidate whose count still holds; outdated ones go back with their present count. */
function popCurrent(heap: CandidateHeap, counts: ReadonlyMap<number, number>): Candidate | undefined {
  for (;;) {
    const top = heap.pop();
    if (top === undefined) return undefined;
    const count = counts.get(top.key)!;
    if (count === top.count) return top;
    if (count > 0 && count < top.count) heap.push({ key: top.key, count });
  }
}
