import { InputError, type NDArray } from '@palimpsest/tensor-core';
import { z } from 'zod';
import { assembleSelection, type Selection, type SelectionRule, selectTokens } from '../eviction/select.js';

/** How many tokens a head may keep. */
export const budgetSchema: z.ZodObject<{
  size: z.ZodOptional<z.ZodUnion<readonly [z.ZodInt, z.ZodArray<z.ZodInt>]>>;
  ratio: z.ZodOptional<z.ZodNumber>;
  shared: z.ZodDefault<z.ZodBoolean>;
}> = z.strictObject({
  size: z
    .union([z.int().min(1), z.array(z.int().min(1)).min(1)])
    .optional()
    .describe('tokens per head; a list has one entry per key/value head'),
  ratio: z.number().gt(0).lt(1).optional().describe('share of the tokens seen that is forgotten'),
  shared: z
    .boolean()
    .default(false)
    .describe('heads of a layer share the sum of their budgets, which goes to the best scores'),
});
export type Budget = z.input<typeof budgetSchema>;

/** Entries that stay whatever their score. */
export interface Protection {
  /** Oldest entries. */
  readonly first: number;
  /** Newest entries, at least 1. */
  readonly newest: number;
}

/** What scores decide. */
export type Retention =
  | { readonly kind: 'everything' }
  | { readonly kind: 'threshold'; readonly rule: SelectionRule }
  | {
      readonly kind: 'budget';
      readonly budget: Budget;
      /** Given how many tokens a head may keep. Default: the newest alone. */
      readonly protects?: (budget: number) => Protection;
    };

/** @throws InputError unless the budget names either a size or a ratio. */
export function checkBudget(budget: Budget): Budget {
  const parsed = budgetSchema.safeParse(budget);
  if (!parsed.success) {
    const issue = parsed.error.issues[0]!;
    throw new InputError(
      `The budget of a policy is wrong at '${issue.path.join('.')}': ${issue.message}; ${JSON.stringify(budget)} was given.`,
    );
  }
  if ((parsed.data.size === undefined) === (parsed.data.ratio === undefined)) {
    throw new InputError(
      `A budget is either a size or a ratio, but ${JSON.stringify(budget)} was given; name one of them.`,
    );
  }
  return parsed.data;
}

/** Tokens that a head may keep, of so many that its text has had: at least the newest. */
export function budgetOf({ size, ratio }: Budget, head: number, tokensSeen: number): number {
  if (ratio !== undefined) return Math.max(1, Math.floor((1 - ratio) * tokensSeen));
  if (typeof size === 'number') return size;
  const own = size?.[head];
  if (own === undefined) {
    throw new InputError(
      `The budget lists ${size?.length ?? 0} key/value heads, but the model has a head ${head}; give one size for all, or one for each.`,
    );
  }
  return own;
}

/** Scores of a layer and what else decides. */
export interface Candidates {
  /** float32 `[batch, heads, tokens]`, oldest first */
  readonly scores: NDArray;
  /** 0/1 `[batch, heads or 1, tokens]`; default: all */
  readonly valid?: NDArray;
  /** Tokens that each text has had. */
  readonly tokensSeen: readonly number[];
}

/** Decides which entries stay. */
export function retain(
  retention: Exclude<Retention, { kind: 'everything' }>,
  candidates: Candidates,
): Selection {
  const { scores, valid, tokensSeen } = candidates;
  if (retention.kind === 'threshold') return selectTokens(scores, retention.rule, valid);
  const [batch, heads, tokens] = scores.shape as [number, number, number];
  const { budget, protects = () => ({ first: 0, newest: 1 }) } = retention;
  const kept: (readonly number[])[] = [];
  for (let row = 0; row < batch; row++) {
    const sizes = Array.from({ length: heads }, (_, head) => budgetOf(budget, head, tokensSeen[row]!));
    const ranked = sizes.map((size, head) =>
      rankEntries(candidates, [row, head, heads, tokens], size, protects(size)),
    );
    const counts = budget.shared ? sharedCounts(ranked, sizes) : sizes;
    kept.push(...ranked.map(({ order }, head) => order.slice(0, counts[head])));
  }
  return assembleSelection(kept, [batch, heads]);
}

interface RankedEntries {
  /** Indices, best first; of equals the older one. */
  readonly order: readonly number[];
  readonly values: readonly number[];
}

function rankEntries(
  { scores, valid }: Candidates,
  [row, head, heads, tokens]: readonly [number, number, number, number],
  size: number,
  { first, newest }: Protection,
): RankedEntries {
  const start = (row * heads + head) * tokens;
  const validStart = valid && (valid.shape[1] === 1 ? row * tokens : start);
  const present = Array.from({ length: tokens }, (_, index) => index).filter(
    (index) => validStart === undefined || valid!.data[validStart + index] !== 0,
  );
  const values = new Array<number>(tokens).fill(Number.NEGATIVE_INFINITY);
  present.forEach((index, rank) => {
    const fromNewest = present.length - 1 - rank;
    // The newest goes first when a budget is too small for all that is protected.
    if (fromNewest < Math.max(1, newest))
      values[index] = Number.MAX_VALUE * (1 - fromNewest / (2 * size + 2 * newest));
    else if (rank < first) values[index] = Number.MAX_VALUE / 4;
    else values[index] = scores.data[start + index]!;
  });
  const order = [...present].sort((a, b) => values[b]! - values[a]! || a - b);
  return { order, values };
}

/** The best scores of all heads of a layer, as many as the heads may keep together, and at least one of each. */
function sharedCounts(ranked: readonly RankedEntries[], sizes: readonly number[]): number[] {
  const total = sizes.reduce((sum, size) => sum + size, 0);
  const counts = ranked.map(({ order }) => Math.min(1, order.length));
  const rest = ranked
    .flatMap(({ order, values }, head) => order.slice(1).map((index) => ({ head, value: values[index]! })))
    .sort((a, b) => b.value - a.value);
  for (const { head } of rest.slice(0, Math.max(0, total - ranked.length))) counts[head]! += 1;
  return counts;
}
