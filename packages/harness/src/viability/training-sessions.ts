import { askedAgain, type TrainingSession } from '@palimpsest/ams-v4';
import { withFreshNames } from './fresh-names.js';
import { factCorpus, generateSession } from './generate-session.js';
import type { Pack } from './pack.js';
import { neededBy } from './prompts.js';
import type { Session } from './session.js';

/** Far from the seeds of sessions that are asked about. */
const FIRST_SEED = 500_000;
/** Every so many sessions have changes, and ask about somebody's friend where that is wanted. */
const CHANGING = 5;
const ASKING_FRIENDS = 3;
const CORPUS = 240;
const WORDINGS = [0, 1];

interface TrainingSessionsOptions {
  /** Default 200. */
  readonly sessions?: number;
  /** Facts of a session, of which half are asked for: what a question is told apart from. Default 24. */
  readonly facts?: number;
  /** Every session has names of its own, made up anew and none of them in the pack. Default: the training words of the pack. */
  readonly freshNames?: boolean | undefined;
  /** With 2 every third session has questions that need two memories, each for one search. Default 1. */
  readonly hops?: number | undefined;
}

/** What adapters learn from: sessions of training words and the first two wordings, every fifth with changes. */
export function trainingSessions(
  pack: Pack,
  { sessions: count = 200, facts: most = 24, freshNames = false, hops = 1 }: TrainingSessionsOptions = {},
): { sessions: TrainingSession[]; corpus: string[] } {
  const sessions = Array.from({ length: count }, (_, i): TrainingSession => {
    const seed = FIRST_SEED + i;
    const own = freshNames ? withFreshNames(pack, seed, most) : pack;
    const asksFriends = hops > 1 && i % ASKING_FRIENDS === ASKING_FRIENDS - 1;
    const session = generateSession(own, {
      seed,
      facts: most,
      queries: Math.floor(most / 2),
      split: 'train',
      hard: 0.9,
      factTemplates: WORDINGS,
      queryTemplates: WORDINGS,
      ...(asksFriends ? { hops: 2 } : { updateRate: i % CHANGING === 0 ? 0.5 : 0 }),
    });
    return { facts: session.facts.map(({ text }) => text), queries: searchesOf(session) };
  });
  return { sessions, corpus: factCorpus(pack, 1, CORPUS).map(({ text }) => text) };
}

/** What is searched for the questions of a session: who somebody is, and then what holds of them, by their name. */
function searchesOf({ facts, queries }: Session): TrainingSession['queries'] {
  return queries.flatMap(({ text }, query) => {
    const [target, bridge] = neededBy(facts, query);
    if (bridge === undefined) return [{ text, target: target! }];
    const { text: told, entity } = facts[bridge]!;
    const again = askedAgain(told, text).find((asked) => asked.includes(entity!));
    return [
      { text, target: bridge },
      { text: again!, target: target! },
    ];
  });
}
