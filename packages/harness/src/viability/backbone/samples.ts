import type { Tokenizer } from '@palimpsest/lm';
import { EntityPool } from '../entity-pool.js';
import { generateSession } from '../generate-session.js';
import type { Pack } from '../pack.js';
import { SessionRandom } from '../session-random.js';
import { TWO_HOP_FACTS } from '../two-hop.js';
import { withUnknownFriends, withUnknownPeople } from './unknown-people.js';
import { withUnknownWords } from './unknown-words.js';

/** A text to learn: ids, and what each one counts as something to be predicted. */
export interface Sample {
  readonly ids: number[];
  /** As long as `ids`; `MAYBE` where a share of the tokens, drawn anew, counts. */
  readonly weights: number[];
}

/** Marks tokens of which a batch takes a share. */
export const MAYBE = -1;

const CONTRAST = 0.6;
const CONTEXT_LINES = 0.25;
const UPDATES = 0.15;
const MOST_QUERIES = 12;
/** Share of the sessions whose people have made-up names, and of those that ask about somebody's friend. */
const UNKNOWN_PEOPLE = 0.4;
const TWO_HOPS = 0.2;

/**
 * Samples as the offline backbone learns from them: sessions as they are told and asked, in ids. Of some the people, of some the things
 * have made-up names; some ask about somebody's friend, whose names are never those that are held out.
 */
export class SampleMaker {
  /** Lines come again in many sessions, up to their things. */
  constructor(
    private readonly pack: Pack,
    private readonly tokenizer: Pick<Tokenizer, 'encode'>,
    private readonly endId: number,
  ) {}

  /** A session of so many facts: they are told, and then asked. */
  told(seed: number, facts: number): Sample {
    const rng = SessionRandom.stream(seed, 'lm');
    const label = rng.float() < CONTEXT_LINES ? 'Context' : 'User';
    const asksFriends = facts >= TWO_HOP_FACTS && rng.float() < TWO_HOPS;
    const people = rng.float() < UNKNOWN_PEOPLE ? withUnknownPeople(this.pack, rng) : this.pack;
    const pack = asksFriends ? withUnknownFriends(people, rng) : people;
    const session = generateSession(pack, {
      seed,
      facts,
      queries: Math.min(facts, MOST_QUERIES),
      hard: 0.75 + 0.25 * rng.float(),
      ...(asksFriends ? ({ hops: 2, split: 'train' } as const) : this.#plain(facts, rng)),
    });
    const pool = new EntityPool(pack, 'all', SessionRandom.stream(seed, 'aug'));
    const { facts: lines, queries } = withUnknownWords(pack, session, seed, rng, pool);
    const sample: Sample = { ids: [], weights: [] };
    for (const { text } of lines) this.#add(sample, `${label}: ${text}\n`, MAYBE);
    for (const { text, answer } of queries) this.#ask(sample, text, answer);
    return sample;
  }

  /** Most sessions are of few relations, each of several people. */
  #plain(facts: number, rng: SessionRandom) {
    const contrast =
      rng.float() < CONTRAST ? { contrast: Math.max(1, Math.ceil(facts / (2 + rng.int(5)))) } : {};
    return { split: 'all', updateRate: UPDATES, ...contrast } as const;
  }

  /** Two questions about what was never told. */
  unknown(seed: number): Sample {
    const { queries } = generateSession(this.pack, { seed, facts: 2, split: 'all' });
    const sample: Sample = { ids: [], weights: [] };
    for (const { text } of queries) this.#ask(sample, text, 'I do not know.');
    return sample;
  }

  #ask(sample: Sample, question: string, answer: string): void {
    this.#add(sample, `User: ${question}\nAssistant:`, MAYBE);
    this.#add(sample, ` ${answer}`, 1);
    sample.ids.push(this.endId);
    sample.weights.push(1);
    this.#add(sample, '\n', 0);
  }

  #add({ ids, weights }: Sample, text: string, weight: number): void {
    for (const id of this.tokenizer.encode(text)) {
      ids.push(id);
      weights.push(weight);
    }
  }
}

const SEGMENTS = 8;
const SEGMENT = 6;
/** The first ids of tokens that are more than a letter. */
const FIRST_COPIED = 97;

/** Tokens of a text to copy. */
export const COPY_LENGTH = 2 * SEGMENTS * SEGMENT;

/** Random segments, then the same ones in another order: once two tokens of one stand there, the others follow. */
export function copySample(rng: SessionRandom, vocabulary: number): Sample {
  const segments = Array.from({ length: SEGMENTS }, () =>
    Array.from({ length: SEGMENT }, () => FIRST_COPIED + rng.int(vocabulary - FIRST_COPIED - 1)),
  );
  const ids = [...segments, ...rng.shuffle(segments)].flat();
  const weights = ids.map((_, i) => (i >= COPY_LENGTH / 2 && i % SEGMENT >= 2 ? 1 : 0));
  return { ids, weights };
}
