/** A piece of a vocabulary and how early merges make it. */
export interface ScoredPiece {
  readonly text: string;
  readonly score: number;
}

interface Merge {
  readonly left: string;
  readonly right: string;
  readonly score: number;
}

/**
 * The merges that byte-pair encoding by scores comes to: a pair merges when the two make a piece, pieces with higher scores
 * first (Kudo & Richardson 2018). The file of a vocabulary states the scores alone.
 * @returns pairs, the earliest first
 */
export function mergesOf(pieces: readonly ScoredPiece[]): [string, string][] {
  const known = new Set(pieces.map(({ text }) => text));
  const merges = pieces.flatMap(({ text, score }) => splits(text, known).map((pair) => ({ ...pair, score })));
  return merges.sort(earlier).map(({ left, right }) => [left, right]);
}

function splits(text: string, known: ReadonlySet<string>): Pick<Merge, 'left' | 'right'>[] {
  const found: Pick<Merge, 'left' | 'right'>[] = [];
  for (let at = 1; at < text.length; at++) {
    // Halves of a surrogate pair are no characters.
    if (isLowSurrogate(text.charCodeAt(at))) continue;
    const [left, right] = [text.slice(0, at), text.slice(at)];
    if (known.has(left) && known.has(right)) found.push({ left, right });
  }
  return found;
}

const isLowSurrogate = (unit: number) => unit >= 0xdc00 && unit <= 0xdfff;

/** Of one piece the pair with the longer left part comes first: it makes no difference which of them stands in a text. */
const earlier = (a: Merge, b: Merge) =>
  b.score - a.score || b.left.length - a.left.length || b.right.length - a.right.length;
