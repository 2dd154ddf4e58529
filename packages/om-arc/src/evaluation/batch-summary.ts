/** Loss of one batch in nats, and how many tokens it is the mean of. */
export interface BatchLoss {
  readonly loss: number;
  readonly tokens: number;
}

export interface BatchSummary {
  /** Mean over all tokens. */
  readonly loss: number;
  /** e to the mean loss. */
  readonly perplexity: number;
  /** As published: the mean over tokens of every batch's own perplexity, which is never below the other. */
  readonly meanOfPerplexities: number;
}

/** Summary of the batches of an evaluation. */
export function summariseBatches(batches: readonly BatchLoss[]): BatchSummary {
  const tokens = batches.reduce((sum, batch) => sum + batch.tokens, 0);
  const mean = (value: (batch: BatchLoss) => number) =>
    batches.reduce((sum, batch) => sum + value(batch) * batch.tokens, 0) / tokens;
  const loss = mean((batch) => batch.loss);
  return { loss, perplexity: Math.exp(loss), meanOfPerplexities: mean((batch) => Math.exp(batch.loss)) };
}
