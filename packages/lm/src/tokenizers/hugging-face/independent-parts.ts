/**
 * Cuts a long text where no merge can reach across: between two characters that have tokens of their own and stand side by
 * side in no token that a merge makes. The parts merge by themselves as they would together, and most of them are words that
 * come again, so that a tokenizer without a pre-tokenizer (Llama 2, Gemma) profits from a cache of words like the others.
 */
export class IndependentParts {
  readonly #neighbours = new Map<number, Set<number>>();

  /** @param merged all tokens that merges make. */
  constructor(
    private readonly tokenIds: ReadonlyMap<string, number>,
    merged: Iterable<string>,
  ) {
    for (const token of merged) this.#addPairs(token);
  }

  *cut(text: string): Generator<string> {
    let start = 0;
    let at = 0;
    let former = NaN;
    let isFormerKnown = false;
    for (const character of text) {
      const point = character.codePointAt(0)!;
      const isKnown = this.tokenIds.has(character);
      if (isKnown && isFormerKnown && !this.#neighbours.get(former)?.has(point)) {
        yield text.slice(start, at);
        start = at;
      }
      at += character.length;
      former = point;
      isFormerKnown = isKnown;
    }
    if (start < at) yield text.slice(start);
  }

  #addPairs(token: string): void {
    let former: number | undefined;
    for (const character of token) {
      const point = character.codePointAt(0)!;
      if (former !== undefined) {
        const set = this.#neighbours.get(former);
        if (set) set.add(point);
        else this.#neighbours.set(former, new Set([point]));
      }
      former = point;
    }
  }
}
