/** Tokens that are read at once, so that prompts of all lengths share few graphs, each of which is made when it is needed. */
const LONG_PIECE = 64;
/** Rows of a shorter piece; the first one of a prompt may begin with padding. */
const [FEW_ROWS, MORE_ROWS] = [8, 16];
/** Pieces where padding would take slots of the cache that tokens need. */
const EXACT_PIECES = [LONG_PIECE, 8, 4, 1];

/** Tokens of a prompt that are read at once. */
export interface PromptPiece {
  readonly tokens: Int32Array<ArrayBuffer>;
  /** Rows that they are the last of, where padding may stand before them. */
  readonly rows?: number;
}

/**
 * A prompt in pieces: 15 tokens are one piece of 16 rows, where pieces without padding would be five.
 * @param room tokens that the cache takes without forgetting any, or 0 where there may be no padding
 */
export function* promptPieces(prompt: ArrayLike<number>, room: number): Generator<PromptPiece> {
  const tokens = Int32Array.from(prompt);
  let at = 0;
  const take = (count: number) => {
    at += count;
    return tokens.slice(at - count, at);
  };
  if (tokens.length + MORE_ROWS > room) {
    while (at < tokens.length)
      yield { tokens: take(EXACT_PIECES.find((size) => size <= tokens.length - at)!) };
    return;
  }
  // What is no whole piece comes first, so that padding stands before all tokens.
  const first = tokens.length % MORE_ROWS;
  if (first === 1) yield { tokens: take(1) };
  else if (first > 0) yield { tokens: take(first), rows: first > FEW_ROWS ? MORE_ROWS : FEW_ROWS };
  while ((tokens.length - at) % LONG_PIECE > 0) yield { tokens: take(MORE_ROWS), rows: MORE_ROWS };
  while (at < tokens.length) yield { tokens: take(LONG_PIECE) };
}
