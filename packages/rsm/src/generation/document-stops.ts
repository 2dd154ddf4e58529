/** When writing on from a document ends before `maxNewTokens`. */
export interface DocumentStopRules {
  /** End when a token was drawn this many times more in a row; 5 means six times running. 0: never. Default 5. */
  readonly maxRepeats?: number;
  /** Ids that end the text once it has more than `newlineAfter` new tokens. Default none. */
  readonly newlineIds?: readonly number[];
  /** Default 20. */
  readonly newlineAfter?: number;
  /** Ids that end the text when it has more than `newlineAfter` new tokens and the step exceeds `fullStopAfter`. Default none. */
  readonly fullStopIds?: readonly number[];
  /** Default 30; steps count from 0. */
  readonly fullStopAfter?: number;
}

/** Follows the drawn tokens and says when to stop (rsm.md 6, the generator of the notebook). */
export class DocumentStops {
  readonly #rules: Required<DocumentStopRules>;
  #drawn = 0;
  #latest: number | undefined;
  #repeats = 0;

  constructor(rules: DocumentStopRules = {}) {
    const {
      maxRepeats = 5,
      newlineIds = [],
      newlineAfter = 20,
      fullStopIds = [],
      fullStopAfter = 30,
    } = rules;
    this.#rules = { maxRepeats, newlineIds, newlineAfter, fullStopIds, fullStopAfter };
  }

  /** @returns whether the text ends with this token. */
  push(id: number): boolean {
    const { maxRepeats, newlineIds, newlineAfter, fullStopIds, fullStopAfter } = this.#rules;
    const step = this.#drawn;
    this.#drawn += 1;
    this.#repeats = id === this.#latest ? this.#repeats + 1 : 0;
    this.#latest = id;
    if (maxRepeats > 0 && this.#repeats >= maxRepeats) return true;
    if (this.#drawn <= newlineAfter) return false;
    return newlineIds.includes(id) || (fullStopIds.includes(id) && step > fullStopAfter);
  }
}
