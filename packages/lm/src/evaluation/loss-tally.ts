/** Loss of the predictions made with a number of tokens in memory from `from` to below `to`. */
export interface TextBucket {
  readonly from: number;
  /** Absent in the last bucket. */
  readonly to?: number | undefined;
  readonly tokens: number;
  /** Nats per token. */
  readonly loss: number;
}

const BORDERS = [0, 128, 512, 2048, Number.POSITIVE_INFINITY];

/** Adds losses up in double precision, as a whole and by distance from where the memory was fresh. */
export class LossTally {
  tokens = 0;
  sum = 0;
  hits = 0;
  readonly #tokens = new Float64Array(BORDERS.length - 1);
  readonly #sums = new Float64Array(BORDERS.length - 1);

  /** @param distance tokens in memory before the predicted one, the one just read not counted. */
  add(distance: number, loss: number, hit: number): void {
    this.tokens += 1;
    this.sum += loss;
    this.hits += hit;
    const bucket = BORDERS.findIndex((border) => distance < border) - 1;
    this.#tokens[bucket]! += 1;
    this.#sums[bucket]! += loss;
  }

  /** The buckets that hold predictions. */
  buckets(): TextBucket[] {
    return [...this.#tokens].flatMap((tokens, index) => {
      if (tokens === 0) return [];
      const to = BORDERS[index + 1]!;
      const range = { from: BORDERS[index]!, to: Number.isFinite(to) ? to : undefined };
      return [{ ...range, tokens, loss: this.#sums[index]! / tokens }];
    });
  }
}
