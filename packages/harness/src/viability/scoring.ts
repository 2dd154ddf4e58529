/** What an answer is held against, all in lower case. */
export interface Expected {
  readonly keyword: string;
  /** What held before, or null. */
  readonly stale: string | null;
  /** Things of the keyword's type in the session. */
  readonly entitiesOfType: readonly string[];
}

export interface Score {
  /** The keyword is a part of the answer. */
  readonly hit: boolean;
  /** It stands alone: no letter or digit on either side. */
  readonly strictHit: boolean;
  /** Strict, and no other thing of its type stands before it. */
  readonly firstHit: boolean;
  /** What held before stands in the answer. */
  readonly staleHit: boolean;
  /** Other things of its type in the answer. */
  readonly rivals: number;
  readonly abstained: boolean;
}

const ALONE = /[\p{L}\p{N}]/u;

/** Place of a word that stands alone in a text, or −1. */
function placeAlone(text: string, word: string): number {
  if (word === '') return -1;
  for (let at = text.indexOf(word); at !== -1; at = text.indexOf(word, at + 1)) {
    const [before, after] = [[...text.slice(0, at)].at(-1), [...text.slice(at + word.length)][0]];
    if (!ALONE.test(before ?? '') && !ALONE.test(after ?? '')) return at;
  }
  return -1;
}

/** How good an answer is; without a keyword nothing is a hit. */
export function scoreAnswer(answer: string, { keyword, stale, entitiesOfType }: Expected): Score {
  const text = answer.toLowerCase();
  const place = placeAlone(text, keyword.toLowerCase());
  const rivals = entitiesOfType
    .filter((entity) => entity.toLowerCase() !== keyword.toLowerCase())
    .map((entity) => placeAlone(text, entity.toLowerCase()))
    .filter((at) => at >= 0);
  return {
    hit: keyword !== '' && text.includes(keyword.toLowerCase()),
    strictHit: place >= 0,
    firstHit: place >= 0 && rivals.every((at) => at > place),
    staleHit: stale !== null && placeAlone(text, stale.toLowerCase()) >= 0,
    rivals: rivals.length,
    abstained: text.includes('do not know') || text.includes("don't know"),
  };
}
