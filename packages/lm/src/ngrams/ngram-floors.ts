import { NgramModel } from './ngram-model.js';

/** What an n-gram table of one order reaches on a text. */
export interface NgramFloor {
  readonly name: string;
  readonly order: number;
  /** Nats per token on the validation text. */
  readonly loss: number;
  /** The same in bits. */
  readonly bits: number;
}

export interface NgramFloorOptions {
  readonly vocabSize: number;
  /** Longest n-gram. Default 7. */
  readonly maximumOrder?: number;
}

/**
 * The rows that a report sets beside trained models: interpolated Witten–Bell tables of orders 1 to 7, counted on the
 * training text and measured on the whole validation text.
 */
export function ngramFloors(
  train: ArrayLike<number>,
  validation: ArrayLike<number>,
  options: NgramFloorOptions,
): NgramFloor[] {
  const { vocabSize, maximumOrder = 7 } = options;
  const losses = new NgramModel(train, { order: maximumOrder, vocabSize }).evaluate(validation);
  return [...losses].map((loss, index) => ({
    name: index === 0 ? 'unigram' : `${index + 1}-gram`,
    order: index + 1,
    loss,
    bits: loss / Math.LN2,
  }));
}
