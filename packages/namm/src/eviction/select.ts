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
  readonly newest: number;
}

/**
 * Applies a rule to scores (DERIVATION.md, "What stays").
 * @param scores float32 `[batch, heads, tokens]`, oldest first
 * @param valid 0/1 `[batch, 1 or heads, tokens]`; default: all
 */
export function selectTokens(scores: NDArray, rule: SelectionRule, valid?: NDArray): Selection {
  if (scores.shape.length !== 3) {
    throw new InputError(
      `Scores have the shape [batch, heads, tokens], but ${formatShape(scores.shape)} was given.`,
    );
  }
  const [batch, heads, tokens] = scores.shape as [number, number, number];
  const ranked = Array.from({ length: batch * heads }, (_, list) =>
    rank(rule, rule.threshold(Math.floor(list / heads)), {
      scores: Array.from(scores.data.subarray(list * tokens, (list + 1) * tokens)),
      valid: valid && validityOf(valid, Math.floor(list / heads), list % heads),
    }),
  );
  const kept = rule.parity ? keepAlike(ranked, rule) : ranked.map((head) => keepOwn(head, rule));
  return assemble(ranked, kept, [batch, heads]);
}

function validityOf({ data, shape }: NDArray, row: number, head: number): ArrayLike<number> {
  const [, heads, tokens] = shape as [number, number, number];
  const list = row * heads + (heads === 1 ? 0 : head);
  return data.subarray(list * tokens, (list + 1) * tokens);
}

function rank(
  rule: SelectionRule,
  threshold: number,
  { scores, valid }: { scores: number[]; valid: ArrayLike<number> | undefined },
): Ranked {
  const isValid = (index: number) => valid === undefined || valid[index] !== 0;
  let newest = scores.length - 1;
  while (newest >= 0 && !isValid(newest)) newest -= 1;
  const forcesNewest = !(rule.kind === 'topk' && rule.parity);
  const values = scores.map((score, index) => {
    if (index === newest && forcesNewest) return Number.POSITIVE_INFINITY;
    return isValid(index) ? score : Number.NEGATIVE_INFINITY;
  });
  const order = values
    .map((_, index) => index)
    .filter((index) => rule.parity || isValid(index))
    .sort((a, b) => values[a]! - values[b]! || a - b);
  const isPassing = (index: number) => rule.kind === 'topk' || values[index]! >= threshold;
  return { order, isPassing, newest };
}

/** Entries that a cap leaves, in ascending order of score. */
const capped = ({ order }: Ranked, cacheSize: number | null): readonly number[] =>
  cacheSize === null || order.length <= cacheSize ? order : order.slice(order.length - cacheSize);

/** Each head keeps what passes, and no more than the cap. */
const keepOwn = (head: Ranked, rule: SelectionRule): readonly number[] =>
  capped(head, rule.cacheSize).filter(head.isPassing);

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
  const newest = 0;
  return assemble(
    kept.map((order) => ({ order, isPassing: () => true, newest })),
    kept,
    shape,
  );
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
