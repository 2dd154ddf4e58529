import type { Stretch } from './text-pattern.js';

/** What becomes of the matches of a split, by the names that a tokenizer.json uses. */
export const splitBehaviors = [
  'Removed',
  'Isolated',
  'MergedWithPrevious',
  'MergedWithNext',
  'Contiguous',
] as const;
export type SplitBehavior = (typeof splitBehaviors)[number];

/** A piece of a text by its offsets. */
type Range = readonly [start: number, end: number];

/** The pieces that stretches give, in order; some may be empty. */
export function piecesOf(stretches: readonly Stretch[], behavior: SplitBehavior): Range[] {
  switch (behavior) {
    case 'Removed':
      return stretches.filter(({ isMatch }) => !isMatch).map(rangeOf);
    case 'Isolated':
      return stretches.map(rangeOf);
    case 'Contiguous':
      return joined(stretches, (isMatch, followsMatch) => isMatch === followsMatch);
    case 'MergedWithPrevious':
      return joined(stretches, (isMatch, followsMatch) => isMatch && !followsMatch);
    case 'MergedWithNext':
      return mergedWithNext(stretches);
  }
}

const rangeOf = ({ start, end }: Stretch): Range => [start, end];

/** Joins a stretch to the piece before it where a rule says so. The text begins as if after no match. */
function joined(
  stretches: readonly Stretch[],
  joins: (isMatch: boolean, followsMatch: boolean) => boolean,
): Range[] {
  const pieces: Range[] = [];
  let followsMatch = false;
  for (const { start, end, isMatch } of stretches) {
    const last = pieces.at(-1);
    if (last && joins(isMatch, followsMatch)) pieces[pieces.length - 1] = [last[0], end];
    else pieces.push([start, end]);
    followsMatch = isMatch;
  }
  return pieces;
}

/** The mirror image of `MergedWithPrevious`. */
function mergedWithNext(stretches: readonly Stretch[]): Range[] {
  const pieces: Range[] = [];
  let precedesMatch = false;
  for (const { start, end, isMatch } of [...stretches].reverse()) {
    const last = pieces.at(-1);
    if (last && isMatch && !precedesMatch) pieces[pieces.length - 1] = [start, last[1]];
    else pieces.push([start, end]);
    precedesMatch = isMatch;
  }
  return pieces.reverse();
}
