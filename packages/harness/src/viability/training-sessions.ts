import type { TrainingSession } from '@palimpsest/ams-v4';
import { withFreshNames } from './fresh-names.js';
import { factCorpus, generateSession } from './generate-session.js';
import type { Pack } from './pack.js';
import { answerOf } from './prompts.js';

/** Far from the seeds of sessions that are asked about. */
const FIRST_SEED = 500_000;
/** Every so many sessions have changes. */
const CHANGING = 5;
const CORPUS = 240;
const WORDINGS = [0, 1];

interface TrainingSessionsOptions {
  /** Default 200. */
  readonly sessions?: number;
  /** Facts of a session, of which half are asked for: what a question is told apart from. Default 24. */
  readonly facts?: number;
  /** Every session has names of its own, made up anew and none of them in the pack. Default: the training words of the pack. */
  readonly freshNames?: boolean | undefined;
}

/** What adapters learn from: sessions of training words and the first two wordings, every fifth with changes. */
export function trainingSessions(
  pack: Pack,
  { sessions: count = 200, facts: most = 24, freshNames = false }: TrainingSessionsOptions = {},
): { sessions: TrainingSession[]; corpus: string[] } {
  const sessions = Array.from({ length: count }, (_, i): TrainingSession => {
    const seed = FIRST_SEED + i;
    const own = freshNames ? withFreshNames(pack, seed, most) : pack;
    const { facts, queries } = generateSession(own, {
      seed,
      facts: most,
      queries: Math.floor(most / 2),
      split: 'train',
      hard: 0.9,
      factTemplates: WORDINGS,
      queryTemplates: WORDINGS,
      updateRate: i % CHANGING === 0 ? 0.5 : 0,
    });
    return {
      facts: facts.map(({ text }) => text),
      queries: queries.map(({ text }, query) => ({ text, target: answerOf(facts, query) })),
    };
  });
  return { sessions, corpus: factCorpus(pack, 1, CORPUS).map(({ text }) => text) };
}
