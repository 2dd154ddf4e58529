import { nthLargest } from '@palimpsest/lm';
import { formatShape, InputError, type NDArray, ndarray } from '@palimpsest/tensor-core';
import type { NAMMConfig } from '../config.js';

/** Which entries of every head stay. */
export interface Selection {
  /** int32 `[batch, heads, most]`: indices before the eviction, ascending, right-aligned; -1 where a head keeps fewer. */
  readonly kept: NDArray<'int32'>;
  /** int32 `[batch, heads]`: how many stay */
  readonly lengths: NDArray<'int32'>;
  /** int32 `[batch, heads]`: how many of them passed the threshold; the newest always counts */
  readonly passing: NDArray<'int32'>;
  /** Whether the entries passed, in ascending order of their scores, `[batch, heads, most]`: fillers come first. */
  readonly passedInOrder: NDArray<'int32'>;
}

export interface SelectionRule {
  readonly kind: NAMMConfig['selection']['kind'];
  readonly cacheSize: number | null;
  /** Scores from here on pass, by row. */
  readonly threshold: (row: number) => number;
  /** All heads keep as many as the best one of them, and the last one of a batch row likewise, as published. */
  readonly parity: boolean;
}

/** Entries of one head in ascending order of score; of equals the older one first. */
interface Ranked {
  readonly order: readonly number[];
  readonly isPassing: (index: number) => boolean;
}

/** The entries of one head, and from which score on they pass. */
interface Entries {
  readonly scores: NDArray['data'];
  readonly valid: ArrayLike<number> | undefined;
  readonly threshold: number;
}

/**
 * Applies a rule to scores (DERIVATION.md, "What stays"). The newest entry stays whatever its score, but for `topk` under parity.
 * @param scores float32 `[batch, heads, tokens]`, oldest first
 * @param valid 0/1 `[batch, 1 or heads, tokens]`; default: all
 * @throws InputError for scores of another shape.
 */
export function selectTokens(scores: NDArray, rule: SelectionRule, valid?: NDArray): Selection {
  if (scores.shape.length !== 3) {
    throw new InputError(
      `Scores have the shape [batch, heads, tokens], but ${formatShape(scores.shape)} was given.`,
    );
  }
  const [batch, heads, tokens] = scores.shape as [number, number, number];
  const lists = Array.from({ length: batch * heads }, (_, list): Entries => {
    const row = Math.floor(list / heads);
    return {
      scores: scores.data.subarray(list * tokens, (list + 1) * tokens),
      valid: valid && validityOf(valid, row, list % heads),
      threshold: rule.threshold(row),
    };
  });
  if (!rule.parity) return selectOwn(lists, rule, [batch, heads]);
  const ranked = lists.map((entries) => rank(rule, entries));
  return assemble(ranked, keepAlike(ranked, rule), [batch, heads]);
}

/** Each head keeps what passes, and no more than the cap: the best, and of equals the newer ones. */
function selectOwn(
  lists: readonly Entries[],
  rule: SelectionRule,
  [batch, heads]: readonly [number, number],
): Selection {
  const passing = lists.map((entries) => passingEntries(rule, entries));
  const kept = passing.map((entries, list) => bestEntries(entries, lists[list]!.scores, rule.cacheSize));
  const selection = assembleSelection(kept, [batch, heads]);
  const counts = Int32Array.from(passing, ({ length }) => length);
  return { ...selection, passing: ndarray(counts, [batch, heads], 'int32') };
}

/** So many best of some entries in their order, the newest among them whatever its score; of equals the newer ones. */
function bestEntries(
  entries: readonly number[],
  scores: ArrayLike<number>,
  most: number | null,
): readonly number[] {
  if (most === null || entries.length <= most) return entries;
  const last = entries.length - 1;
  const places = most - 1;
  const values = new Float32Array(last);
  for (let i = 0; i < last; i++) values[i] = scores[entries[i]!]!;
  const least = places > 0 ? nthLargest(values, places) : Number.POSITIVE_INFINITY;
  let [better, equal] = [0, 0];
  for (const value of values) {
    if (value > least) better += 1;
    else if (value === least) equal += 1;
  }
  // The older ones of equals go first.
  let skipped = equal - (places - better);
  const kept: number[] = [];
  for (let i = 0; i < last; i++) {
    const value = values[i]!;
    if (value > least || (value === least && --skipped < 0)) kept.push(entries[i]!);
  }
  kept.push(entries[last]!);
  return kept;
}

/** Entries of a head that pass, oldest first; the newest does whatever its score. */
function passingEntries({ kind }: SelectionRule, { scores, valid, threshold }: Entries): number[] {
  const entries: number[] = [];
  const newest = newestOf(scores, valid);
  for (let entry = 0; entry <= newest; entry++) {
    if (valid?.[entry] === 0) continue;
    if (entry === newest || kind === 'topk' || scores[entry]! >= threshold) entries.push(entry);
  }
  return entries;
}

/** The newest valid entry, -1 for none. */
function newestOf({ length }: ArrayLike<number>, valid: ArrayLike<number> | undefined): number {
  let newest = length - 1;
  while (newest >= 0 && valid?.[newest] === 0) newest -= 1;
  return newest;
}

function validityOf({ data, shape }: NDArray, row: number, head: number): ArrayLike<number> {
  const [, heads, tokens] = shape as [number, number, number];
  const list = row * heads + (heads === 1 ? 0 : head);
  return data.subarray(list * tokens, (list + 1) * tokens);
}

function rank(rule: SelectionRule, { scores, valid, threshold }: Entries): Ranked {
  const newest = newestOf(scores, valid);
  const forcesNewest = rule.kind !== 'topk';
  const values = Array.from(scores, (score, index) => {
    if (index === newest && forcesNewest) return Number.POSITIVE_INFINITY;
    return valid?.[index] === 0 ? Number.NEGATIVE_INFINITY : score;
  });
  const order = values.map((_, index) => index).sort((a, b) => values[a]! - values[b]! || a - b);
  const isPassing = (index: number) => rule.kind === 'topk' || values[index]! >= threshold;
  return { order, isPassing };
}

/** Entries that a cap leaves, in ascending order of score. */
const capped = ({ order }: Ranked, cacheSize: number | null): readonly number[] =>
  cacheSize === null || order.length <= cacheSize ? order : order.slice(order.length - cacheSize);

/** All heads of all rows drop the smallest number of failing entries among them. */
function keepAlike(ranked: readonly Ranked[], rule: SelectionRule): readonly (readonly number[])[] {
  const remaining = ranked.map((head) => capped(head, rule.cacheSize));
  const failing = remaining.map(
    (order, list) => order.filter((index) => !ranked[list]!.isPassing(index)).length,
  );
  const drop = Math.min(...failing);
  return remaining.map((order) => order.slice(drop));
}

/** Right-aligned indices of what stays, where passing plays no part. */
export function assembleSelection(
  kept: readonly (readonly number[])[],
  shape: readonly [number, number],
): Selection {
  return assemble(
    kept.map((order) => ({ order, isPassing: () => true })),
    kept,
    shape,
  );
}

/**
 * What was decided about some texts, where the others keep everything.
 * @param isDue which texts of the batch it is about
 * @param valid 0/1 `[batch, heads, tokens]`
 */
export function keepingOthers(
  decided: Selection,
  isDue: readonly boolean[],
  valid: NDArray,
): Pick<Selection, 'kept' | 'lengths' | 'passing'> {
  const [batch, heads, tokens] = valid.shape as [number, number, number];
  const most = decided.kept.shape[2]!;
  const kept = Array.from({ length: batch * heads }, (_, list) => {
    if (isDue[Math.floor(list / heads)]) {
      return Array.from(decided.kept.data.subarray(list * most, (list + 1) * most)).filter((at) => at >= 0);
    }
    return Array.from({ length: tokens }, (_, at) => at).filter((at) => valid.data[list * tokens + at]);
  });
  const { kept: indices, lengths } = assembleSelection(kept, [batch, heads]);
  const counts = Int32Array.from(kept, ({ length }, list) =>
    isDue[Math.floor(list / heads)] ? decided.passing.data[list]! : length,
  );
  return { kept: indices, lengths, passing: ndarray(counts, [batch, heads], 'int32') };
}

function assemble(
  ranked: readonly Ranked[],
  kept: readonly (readonly number[])[],
  [batch, heads]: readonly [number, number],
): Selection {
  const most = Math.max(0, ...kept.map((indices) => indices.length));
  const indices = new Int32Array(kept.length * most).fill(-1);
  const passed = new Int32Array(kept.length * most);
  kept.forEach((order, list) => {
    const start = (list + 1) * most - order.length;
    indices.set(
      [...order].sort((a, b) => a - b),
      start,
    );
    passed.set(
      order.map((index) => Number(ranked[list]!.isPassing(index))),
      start,
    );
  });
  const counts = (count: (list: number) => number) =>
    ndarray(
      Int32Array.from(kept, (_, list) => count(list)),
      [batch, heads],
      'int32',
    );
  return {
    kept: ndarray(indices, [batch, heads, most], 'int32'),
    lengths: counts((list) => kept[list]!.length),
    passing: counts((list) => ranked[list]!.order.filter(ranked[list]!.isPassing).length),
    passedInOrder: ndarray(passed, [batch, heads, most], 'int32'),
  };
}
