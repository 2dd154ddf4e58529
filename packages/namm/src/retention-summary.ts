/** What an update keeps, and how the scores lie. */
export interface RetentionSummary {
  /** Share of the tokens that stay. */
  readonly retentionRate: number;
  readonly meanScore: number;
  /** Unbiased. */
  readonly scoreStd: number;
  readonly minScore: number;
  readonly maxScore: number;
}

/**
 * Summarises an update.
 * @param scores of all tokens
 * @param kept how many of them stay
 */
export function summarise(scores: ArrayLike<number>, kept: number): RetentionSummary {
  const values = Array.from(scores);
  const count = values.length;
  const mean = values.reduce((sum, value) => sum + value, 0) / count;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return {
    retentionRate: kept / count,
    meanScore: mean,
    scoreStd: count > 1 ? Math.sqrt(squares / (count - 1)) : 0,
    minScore: values.reduce((least, value) => Math.min(least, value), Number.POSITIVE_INFINITY),
    maxScore: values.reduce((most, value) => Math.max(most, value), Number.NEGATIVE_INFINITY),
  };
}
