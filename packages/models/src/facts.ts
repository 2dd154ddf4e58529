import { generateStories, type JsonObject, type Session, type Tokenizer } from '@palimpsest/lm';
import { Rng } from '@palimpsest/tensor-core';

const NAMES = 'Ada Bruno Clara Dario Elif Felix Greta Hugo Ines Jonas Kira Lars Mira Nico Olga Pavel'.split(
  ' ',
);
const FOODS =
  'tea milk bread plums honey soup cheese figs nuts pears rice beans cake fish grapes butter'.split(' ');

/** A person and what this person likes: nothing but the telling says which. */
export interface Fact {
  readonly name: string;
  readonly food: string;
}

/** How many foods there are: guessing is right once in as many. */
export const FOOD_COUNT = FOODS.length;

const pick = <T>(rng: Rng, list: readonly T[]): T => list[rng.int(list.length)]!;

/** Facts about different people. */
export function drawFacts(rng: Rng, count: number, without: ReadonlySet<string> = new Set()): Fact[] {
  const names = NAMES.filter((name) => !without.has(name));
  const order = rng.permutation(names.length);
  return Array.from({ length: count }, (_, i) => ({ name: names[order[i]!]!, food: pick(rng, FOODS) }));
}

/** What is said to a line that asks nothing. */
const NOD = 'Ok.\n';

export const tellFact = ({ name, food }: Fact): string => `${name} likes ${food}.\n${NOD}`;
/** The question, and the answer up to the word that only the telling gives. */
export const askFact = ({ name }: Fact): string => `What does ${name} like?\n${name} likes`;

/** Lines about other things, in which the same people and foods occur. */
export class Filler {
  readonly #rng: Rng;
  #lines: string[] = [];

  constructor(seed: number) {
    this.#rng = Rng.fromSeed(seed);
  }

  /** The next line, and what is said to it. */
  line(): string {
    return `${this.#next()}${NOD}`;
  }

  #next(): string {
    const rng = this.#rng;
    if (rng.int(4) === 0) return foodLine(rng);
    if (this.#lines.length === 0) {
      const { documents } = generateStories({ seed: rng.int(1 << 30), characters: 20_000 });
      this.#lines = documents
        .flatMap((story) => story.trim().split(/(?<=[.]) /))
        .map((line) => `${line}\n`)
        .reverse();
    }
    return this.#lines.pop()!;
  }
}

function foodLine(rng: Rng): string {
  const [name, other] = [...rng.permutation(NAMES.length).slice(0, 2)].map((i) => NAMES[i]!);
  const food = pick(rng, FOODS);
  return pick(rng, [
    `${name} sold ${food} to ${other}.\n`,
    `${name} and ${other} had ${food} at noon.\n`,
    `${name} carried ${food} to the market.\n`,
    `There was no ${food} for ${name}.\n`,
  ]);
}

/** A text in which facts are told, other lines follow, and every fact is asked for again and again. */
export function factsText(seed: number, characters: number): string {
  const rng = Rng.fromSeed(seed);
  const filler = new Filler(seed + 1);
  const lines: string[] = [];
  let length = 0;
  const add = (line: string) => {
    lines.push(line);
    length += line.length;
  };
  let taken = new Set<string>();
  while (length < characters) {
    // Mostly questions about a few facts, close on each other.
    const isEasy = rng.int(4) > 0;
    const facts = drawFacts(rng, 1 + rng.int(isEasy ? 3 : 8), taken);
    taken = new Set(facts.map(({ name }) => name));
    for (const fact of facts) add(tellFact(fact));
    const most = isEasy ? 1 : 6;
    for (let round = 0; round < (isEasy ? 4 : 2); round++) {
      for (const index of rng.permutation(facts.length)) {
        for (let i = rng.int(most); i > 0; i--) add(filler.line());
        const fact = facts[index]!;
        add(`${askFact(fact)} ${fact.food}.\n`);
      }
    }
  }
  return lines.join('');
}

/** Words with the blank before them, ends of lines and other characters: the tokens of these lines. */
const WORDS = " ?[A-Za-z']+|\\n|[^A-Za-z\\n]";

/** A `tokenizer.json` whose vocabulary are the words of a text, the most frequent ones first. */
export function wordTokenizer(text: string): JsonObject {
  const counts = new Map<string, number>();
  for (const [word] of text.matchAll(new RegExp(WORDS, 'g'))) counts.set(word, (counts.get(word) ?? 0) + 1);
  const words = [...counts].sort(([a, many], [b, others]) => others - many || (a < b ? -1 : 1));
  const unknown = '<unk>';
  const vocabulary = [unknown, ...words.map(([word]) => word)];
  return {
    version: '1.0',
    added_tokens: [{ id: 0, content: unknown, special: true, normalized: false }],
    pre_tokenizer: { type: 'Split', pattern: { Regex: WORDS }, behavior: 'Isolated', invert: false },
    decoder: { type: 'Fuse' },
    model: {
      type: 'WordLevel',
      vocab: Object.fromEntries(vocabulary.map((word, id) => [word, id])),
      unk_token: unknown,
    },
  };
}

/** A model that has read nothing, and its tokens. */
export interface Reader {
  readonly session: Session;
  readonly tokenizer: Tokenizer;
}

export interface RecallOptions {
  readonly seed: number;
  /** How many facts are told first, and asked for last. Default 8. */
  readonly facts?: number;
  /** Tokens of other lines between, at least: the last line is read to its end. */
  readonly distance: number;
}

/** Tokens that are read at once. */
const PIECE = 512;

/** How many of the facts that were told first a model still knows. */
export interface Recall {
  readonly asked: number;
  /** Answers whose likeliest next token, of all there are, is the food. */
  readonly right: number;
}

/**
 * Tells facts to a model, then lines about other things, and asks for every fact; a question leaves no trace for the next one.
 * Guessing is right once in `FOOD_COUNT` times.
 */
export async function recallAfter({ session, tokenizer }: Reader, options: RecallOptions): Promise<Recall> {
  const { seed, facts: count = 8, distance } = options;
  const facts = drawFacts(Rng.fromSeed(seed), count);
  const filler = new Filler(seed + 1);
  await session.prefill(tokenizer.encode(facts.map(tellFact).join('')));
  const end = session.position + distance;
  while (session.position < end) {
    const ids: number[] = [];
    while (ids.length < PIECE && session.position + ids.length < end)
      ids.push(...tokenizer.encode(filler.line()));
    await session.append(ids);
  }
  const before = await session.snapshot();
  let right = 0;
  for (const fact of facts) {
    await session.restore(before);
    await session.append(tokenizer.encode(askFact(fact)));
    const logits = await session.logits();
    const likeliest = logits.reduce((best, logit, id) => (logit > logits[best]! ? id : best), 0);
    if (likeliest === tokenizer.encode(` ${fact.food}`)[0]) right += 1;
  }
  return { asked: facts.length, right };
}
