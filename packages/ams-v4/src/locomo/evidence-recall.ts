import { errorOfMean, InputError, mean } from '@palimpsest/base';
import { Bm25 } from '../retrieval/bm25.js';
import { rankedPlaces } from '../retrieval/gate.js';
import { type Category, type LongConversation, wordsIn } from './read-locomo.js';

/** Scores of every turn for every question of a conversation. */
export type QuestionScores = readonly Float64Array[];

/** Plain BM25 as it is published for such data: words of speaker and text, k1 = 1.5. */
export function wordScores({ turns, questions }: LongConversation): QuestionScores {
  const words = new Bm25({ k1: 1.5, words: wordsIn });
  turns.forEach(({ speaker, text }, place) => {
    words.add(place, `${speaker} ${text}`);
  });
  return questions.map(({ text }) => {
    const scores = new Float64Array(turns.length);
    for (const [place, score] of words.scores(text)) scores[place] = score;
    return scores;
  });
}

/** How much the turns before and behind one count for it. */
export interface Neighbours {
  readonly before: number;
  readonly behind: number;
}

/** Scores in which each turn has a part of those beside it in the same meeting: what is answered was said just before. */
export const withNeighbours = (
  { turns }: LongConversation,
  scores: QuestionScores,
  { before, behind }: Neighbours,
): QuestionScores =>
  scores.map((own) =>
    own.map((score, place) => {
      const part = (other: number, weight: number) =>
        turns[other]?.session === turns[place]!.session ? weight * own[other]! : 0;
      return score + part(place - 1, before) + part(place + 1, behind);
    }),
  );

/** Share of each question's evidence among its best turns. */
export function evidenceRecall({ questions }: LongConversation, scores: QuestionScores, k: number): number[] {
  return questions.map(({ evidence }, i) => {
    const best = new Set(rankedPlaces(scores[i]!).slice(0, k));
    return evidence.filter((place) => best.has(place)).length / evidence.length;
  });
}

/** A mean with its standard error over questions. */
export interface RecallFigure {
  readonly name: Category | 'overall';
  readonly mean: number;
  readonly standardError: number;
  readonly questions: number;
}

/** Figures over all questions and by kind. */
export function recallFigures(
  conversations: readonly LongConversation[],
  recalls: readonly (readonly number[])[],
): RecallFigure[] {
  const all = conversations.flatMap(({ questions }, c) =>
    questions.map(({ category }, i) => ({ category, share: recalls[c]![i]! })),
  );
  const kinds = [...new Set(all.map(({ category }) => category))].sort();
  return [
    figureOf(
      'overall',
      all.map(({ share }) => share),
    ),
    ...kinds.map((kind) =>
      figureOf(
        kind,
        all.filter(({ category }) => category === kind).map(({ share }) => share),
      ),
    ),
  ];
}

function figureOf(name: RecallFigure['name'], shares: readonly number[]): RecallFigure {
  return { name, mean: mean(shares), standardError: errorOfMean(shares), questions: shares.length };
}

/**
 * Scores every conversation with the setting that is best on all the others, so that no conversation has a part in how it is scored.
 * @param settings ways of scoring; the first one of equals is taken
 * @returns shares of evidence per conversation and question, and the settings that were chosen
 * @throws InputError for fewer than two conversations that have questions.
 */
export function leaveOneOut<S>(
  conversations: readonly LongConversation[],
  settings: readonly S[],
  scored: (conversation: number, setting: S) => QuestionScores,
  k: number,
): { recalls: number[][]; chosen: S[] } {
  const usable = conversations.filter(({ questions }) => questions.length > 0).length;
  if (usable < 2) {
    throw new InputError(
      `Settings are chosen on other conversations than the one that is scored; give at least two that have questions with evidence, not ${usable}.`,
    );
  }
  const shares = settings.map((setting) =>
    conversations.map((one, c) => evidenceRecall(one, scored(c, setting), k)),
  );
  const best = conversations.map((_, left) => {
    const values = shares.map((own) => mean(own.filter((_, c) => c !== left).flat()));
    return values.indexOf(Math.max(...values));
  });
  return {
    recalls: best.map((setting, c) => shares[setting]![c]!),
    chosen: best.map((setting) => settings[setting]!),
  };
}
