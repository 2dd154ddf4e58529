/** Words that tell nothing of an answer. */
const STOP = new Set(
  `a an the
  am is are was were be been being do does did have has had having will would shall should can could may might must
  and or but nor so yet if then than
  in on at to for of with by from as into through during before after above below between under over
  i you he she it we they me him her us them my your his its our their mine yours hers ours theirs this that these those
  what which who whom whose when where why how
  all each every both some any about up out just also very really only not no`
    .trim()
    .split(/\s+/),
);

/** Keywords that a right answer has at least: this share of those that are expected, and one. */
const SHARE = 0.3;

/** Words of a text that tell something: lower case, of two letters and more, without the frequent ones. */
export const keywordsOf = (text: string): Set<string> =>
  new Set(
    text
      .toLowerCase()
      .replaceAll(/[^a-z0-9]/g, ' ')
      .split(' ')
      .filter((word) => word.length >= 2 && !STOP.has(word)),
  );

/** Harmonic mean of precision and recall of the keywords of an answer; 0 where either text has none. */
export function keywordF1(given: string, expected: string): number {
  const [own, wanted] = [keywordsOf(given), keywordsOf(expected)];
  const common = [...wanted].filter((word) => own.has(word)).length;
  return common === 0 ? 0 : (2 * common) / (own.size + wanted.size);
}

const enough = (found: number, wanted: number): boolean => wanted > 0 && found >= Math.max(1, SHARE * wanted);

/** Whether enough of the keywords stand in an answer, parts of longer words too: the measure of the published program. */
export function hasAnswer(given: string, expected: string): boolean {
  const wanted = [...keywordsOf(expected)];
  const text = given.toLowerCase();
  return enough(wanted.filter((word) => text.includes(word)).length, wanted.length);
}

/**
 * Whether enough of the keywords are words of an answer; those of the question, which an answer may well repeat, do not count where
 * there are others.
 */
export function hasNewAnswer(given: string, expected: string, question: string): boolean {
  const [all, asked, own] = [keywordsOf(expected), keywordsOf(question), keywordsOf(given)];
  const fresh = [...all].filter((word) => !asked.has(word));
  const wanted = fresh.length > 0 ? fresh : [...all];
  return enough(wanted.filter((word) => own.has(word)).length, wanted.length);
}

/** Whether any keyword of the answer is a part of any text. */
export const answerIn = (texts: readonly string[], expected: string): boolean => {
  const wanted = [...keywordsOf(expected)];
  return texts.some((text) => wanted.some((word) => text.toLowerCase().includes(word)));
};
