import { InputError } from '@palimpsest/tensor-core';

/** The contexts of one length: each is a longer context's parent, grown by one older token. */
interface ContextTable {
  /** Number of a context from (number of the context one token shorter) · vocabSize + its oldest token. */
  readonly numbers: Map<number, number>;
  /** Tokens seen after each context. */
  readonly totals: number[];
  /** Different tokens seen after each context. */
  readonly types: number[];
  /** Times a token was seen after a context, from context · vocabSize + token. */
  readonly counts: Map<number, number>;
}

export interface NgramOptions {
  /** Longest n-gram; contexts have up to `order - 1` tokens. Default 5. */
  readonly order?: number;
  readonly vocabSize: number;
}

/**
 * n-gram model with interpolated Witten–Bell smoothing (Witten & Bell 1991; Chen & Goodman 1998, eq. 17):
 * P(w | h) = (c(h w) + T(h) · P(w | h′)) / (c(h) + T(h)), where T(h) counts the different tokens after h, h′ lacks the
 * oldest token of h, and below the unigrams stands the uniform distribution. A context that was never seen leaves the
 * shorter one's probability as it is. It is the floor that a memory must beat.
 */
export class NgramModel {
  readonly order: number;
  readonly vocabSize: number;
  readonly #tables: readonly ContextTable[];

  /** @throws InputError for an order below 1 or a token outside the vocabulary. */
  constructor(ids: ArrayLike<number>, options: NgramOptions) {
    const { order = 5, vocabSize } = options;
    if (!Number.isInteger(order) || order < 1) {
      throw new InputError(`The order of an n-gram model is an integer from 1, but ${order} was given.`);
    }
    this.order = order;
    this.vocabSize = vocabSize;
    this.#tables = Array.from({ length: order }, () => ({
      numbers: new Map(),
      totals: [],
      types: [],
      counts: new Map(),
    }));
    for (let position = 0; position < ids.length; position++) this.#count(ids, position);
  }

  /**
   * Probability of a token after a history, by each order up to the model's.
   * @param ids the text.
   * @param position the token's place in it; tokens before it are its history.
   * @returns `order` numbers; the last is the model's own.
   */
  probabilities(ids: ArrayLike<number>, position: number): Float64Array {
    const result = new Float64Array(this.order);
    const token = this.#check(ids[position]!);
    let probability = 1 / this.vocabSize;
    let context: number | undefined = 0;
    for (let length = 0; length < this.order; length++) {
      if (length > 0) context = this.#find(length, context, ids, position);
      if (context !== undefined) probability = this.#interpolate(length, context, token, probability);
      result[length] = probability;
    }
    return result;
  }

  /** Distribution of the next token after a history, [vocabSize]. */
  distribution(history: ArrayLike<number>): Float64Array {
    const result = new Float64Array(this.vocabSize).fill(1 / this.vocabSize);
    let context: number | undefined = 0;
    for (let length = 0; length < this.order; length++) {
      if (length > 0) context = this.#find(length, context, history, history.length);
      if (context === undefined) break;
      for (let token = 0; token < this.vocabSize; token++) {
        result[token] = this.#interpolate(length, context, token, result[token]!);
      }
    }
    return result;
  }

  /**
   * Mean negative log-likelihood of a text in nats per token, by each order: `[order]`, unigrams first.
   * The first tokens of the text have no history but what the text gives.
   */
  evaluate(ids: ArrayLike<number>): Float64Array {
    const sums = new Float64Array(this.order);
    for (let position = 0; position < ids.length; position++) {
      this.probabilities(ids, position).forEach((probability, index) => {
        sums[index]! -= Math.log(probability);
      });
    }
    return sums.map((sum) => sum / ids.length);
  }

  /** Number of contexts and n-grams that are stored. */
  get size(): number {
    return this.#tables.reduce((total, { totals, counts }) => total + totals.length + counts.size, 0);
  }

  #count(ids: ArrayLike<number>, position: number): void {
    const token = this.#check(ids[position]!);
    let context = 0;
    for (let length = 0; length < this.order && length <= position; length++) {
      const table = this.#tables[length]!;
      if (length > 0) context = numberOf(table, context * this.vocabSize + ids[position - length]!);
      const key = context * this.vocabSize + token;
      const before = table.counts.get(key) ?? 0;
      table.counts.set(key, before + 1);
      table.totals[context] = (table.totals[context] ?? 0) + 1;
      table.types[context] = (table.types[context] ?? 0) + (before === 0 ? 1 : 0);
    }
  }

  #find(
    length: number,
    shorter: number | undefined,
    ids: ArrayLike<number>,
    position: number,
  ): number | undefined {
    if (shorter === undefined || position < length) return undefined;
    return this.#tables[length]!.numbers.get(shorter * this.vocabSize + ids[position - length]!);
  }

  #interpolate(length: number, context: number, token: number, shorter: number): number {
    const { totals, types, counts } = this.#tables[length]!;
    const total = totals[context];
    if (total === undefined) return shorter;
    const kinds = types[context]!;
    return ((counts.get(context * this.vocabSize + token) ?? 0) + kinds * shorter) / (total + kinds);
  }

  #check(token: number): number {
    if (token >= 0 && token < this.vocabSize) return token;
    throw new InputError(
      `The token ${token} is outside the vocabulary of ${this.vocabSize} of this n-gram model.`,
    );
  }
}

function numberOf(table: ContextTable, key: number): number {
  const known = table.numbers.get(key);
  if (known !== undefined) return known;
  const number = table.numbers.size;
  table.numbers.set(key, number);
  return number;
}
