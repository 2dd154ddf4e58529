import { fnv1a } from '@palimpsest/base';
import type { GoldenHandler, GoldenJson, GoldenOutputs, GoldenPart } from '@palimpsest/base/golden';
import { HuggingFaceTokenizer } from '@palimpsest/lm';
import { factCorpus, generateSession } from './generate-session.js';
import { standardPack } from './pack.js';
import {
  END_TOKEN,
  learnMerges,
  POCKET_VOCABULARY,
  pocketTokenizer,
  tokenizerCorpus,
  vocabularyOf,
} from './pocket-tokenizer.js';
import { type Expected, scoreAnswer } from './scoring.js';
import type { Session, SessionOptions } from './session.js';
import { SessionRandom } from './session-random.js';
import statements from './statements.json';
import { wilsonInterval } from './wilson.js';

type SessionCase = Omit<
  SessionOptions,
  'facts' | 'queries' | 'factTemplates' | 'queryTemplates' | 'contrast'
> & {
  readonly nFacts: number;
  readonly nQueries: number;
  readonly factTemplates: number[] | null;
  readonly queryTemplates: number[] | null;
  readonly contrast: number | null;
};

/** What the hash of a session is of: facts, a line of dashes, questions. */
function sessionText({ facts, queries }: Session): string {
  const told = facts.map(({ kind, text }) => `${kind}|${text}`);
  const asked = queries.map(
    ({ text, keyword, stale, answer }) => `${text}|${keyword}|${stale ?? ''}|${answer}`,
  );
  return [...told, '--', ...asked].join('\n');
}

function sessionOutputs({ nFacts, nQueries, ...rest }: SessionCase): Record<string, GoldenJson> {
  const { factTemplates, queryTemplates, contrast, ...options } = rest;
  const session = generateSession(standardPack(), {
    ...options,
    facts: nFacts,
    queries: nQueries,
    ...(factTemplates && { factTemplates }),
    ...(queryTemplates && { queryTemplates }),
    ...(contrast !== null && { contrast }),
  });
  const plain: { facts: GoldenJson[]; queries: GoldenJson[] } = JSON.parse(JSON.stringify(session));
  return {
    fnv1a: fnv1a(sessionText(session)),
    fact0: plain.facts[0],
    factLast: plain.facts.at(-1),
    query0: plain.queries[0],
    session: { facts: plain.facts, queries: plain.queries },
  };
}

/** Draws of one stream, one kind after the other. */
function randomOutputs(label: string): Record<string, GoldenJson> {
  const [seed = '', purpose = ''] = label.split('/');
  const rng = SessionRandom.stream(Number(seed), purpose);
  const draws = (count: number, draw: () => number) => Array.from({ length: count }, draw);
  return {
    fnv1a: fnv1a(label),
    u32: draws(6, () => rng.u32()),
    int1000: draws(6, () => rng.int(1000)),
    float: draws(3, () => rng.float()),
    shuffle10: rng.shuffle([...Array(10).keys()]),
  };
}

interface CorpusCase {
  readonly seed: number;
  readonly n: number;
  readonly split: 'train';
  readonly factTemplates: number[];
}

function corpusOutputs(
  { seed, n, split, factTemplates }: CorpusCase,
  shown: number,
): Record<string, GoldenJson> {
  const facts = factCorpus(standardPack(), seed, n, split, factTemplates);
  const plain: GoldenJson[] = JSON.parse(JSON.stringify(facts));
  return {
    fnv1a: fnv1a(facts.map(({ text }) => text).join('\n')),
    distinctEntities: new Set(facts.map(({ entity }) => entity)).size,
    first: plain.slice(0, shown),
    last: plain.at(-1),
  };
}

/** Facts at the start of a corpus that a case shows. */
const SHOWN = 5;

/** Outputs of a list of cases under the names of their members. */
function listOutputs(name: string, list: readonly Record<string, GoldenJson>[]): GoldenOutputs {
  return Object.fromEntries(
    list.flatMap((outputs, i) =>
      Object.entries(outputs).map(([member, value]) => [`${name}/${i}/${member}`, () => value] as const),
    ),
  );
}

const EXPECTED = {
  prng: ['fnv1a', 'u32', 'int1000', 'float', 'shuffle10'],
  'sessions/*': ['fnv1a', 'fact0', 'factLast', 'query0', 'session'],
  'factCorpus/*': ['fnv1a', 'distinctEntities', 'first', 'last'],
  'scoring/*': ['hit', 'strictHit', 'firstHit', 'staleHit', 'rivals', 'abstained'],
  'wilson/*': ['lo', 'hi'],
} as const;

/** Random numbers, sessions, corpora, scores and intervals. */
const viabilityCase: GoldenHandler = {
  system: 'ams-v4',
  kind: 'viability',
  expects: Object.entries(EXPECTED).flatMap(([list, members]) =>
    members.map((member) => `${list}/${member}`),
  ),
  run: (testCase) => {
    const random = randomOutputs(testCase.member('prng', { label: '' }).label);
    const scoring = testCase.member<(Expected & { answer: string })[]>('scoring', []);
    const intervals = testCase.member<{ k: number; n: number }[]>('wilson', []).map(({ k, n }) => {
      const [lo, hi] = wilsonInterval(k, n);
      return { lo, hi };
    });
    return {
      ...Object.fromEntries(Object.entries(random).map(([name, value]) => [`prng/${name}`, value])),
      ...listOutputs('sessions', testCase.member<SessionCase[]>('sessions', []).map(sessionOutputs)),
      ...listOutputs(
        'factCorpus',
        testCase.member<CorpusCase[]>('factCorpus', []).map((one) => corpusOutputs(one, SHOWN)),
      ),
      ...listOutputs(
        'scoring',
        scoring.map(({ answer, ...expected }) => ({ ...scoreAnswer(answer, expected) })),
      ),
      ...listOutputs('wilson', intervals),
    };
  },
};

interface EncodingCase {
  readonly text: string;
}

/** The tokenizer of the offline backbone: its corpus, every merge, and encodings. */
const pocketTokenizerCase: GoldenHandler = {
  system: 'ams-v4',
  kind: 'pocket-bpe',
  expects: ['vocabSize', 'endId', 'corpusLines', 'corpusFnv1a', 'merges', 'encode/*/ids', 'encode/*/tokens'],
  run: (testCase) => {
    const corpus = tokenizerCorpus(standardPack());
    const merges = learnMerges(corpus, POCKET_VOCABULARY - 257);
    const tokenizer = new HuggingFaceTokenizer(pocketTokenizer(merges));
    const symbols = vocabularyOf(merges);
    const encodings = testCase.member<EncodingCase[]>('encode', []).map(({ text }) => {
      const ids = tokenizer.encode(text);
      return { ids, tokens: Array.from(ids, (id) => symbols[id]!) };
    });
    return {
      vocabSize: tokenizer.vocabSize,
      endId: tokenizer.idOf(END_TOKEN),
      corpusLines: corpus.length,
      corpusFnv1a: fnv1a(corpus.join('')),
      merges,
      ...listOutputs('encode', encodings),
    };
  },
};

export const viabilityHandlers: readonly GoldenPart[] = [viabilityCase, pocketTokenizerCase, ...statements];
