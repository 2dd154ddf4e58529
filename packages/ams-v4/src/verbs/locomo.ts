import { loadPretrained } from '@palimpsest/backbone';
import { mean, textTable } from '@palimpsest/base';
import { type MechanismVerb, outputOptions } from '@palimpsest/lm';
import { createEngine, InputError } from '@palimpsest/tensor-core';
import { z } from 'zod';
import { loadConversation } from '../conversation/adapters-folder.js';
import { bundleScores } from '../locomo/bundle-scores.js';
import {
  evidenceRecall,
  leaveOneOut,
  type Neighbours,
  type QuestionScores,
  type RecallFigure,
  recallFigures,
  withNeighbours,
  wordScores,
} from '../locomo/evidence-recall.js';
import { hashedWords } from '../locomo/hashed-words.js';
import { type LearnedScores, learnedBundles } from '../locomo/learned-bundles.js';
import { type LongConversation, readLocomo } from '../locomo/read-locomo.js';
import { statesOf } from '../locomo/states.js';
import { loadStates, saveStates } from '../locomo/states-file.js';
import type { ConversationParts } from '../locomo/whitened.js';
import { TextModel } from '../model/text-model.js';
import { place } from './memory-place.js';

const schema = z.strictObject({
  ...outputOptions,
  file: z.string().describe('conversations in the form of LoCoMo; none ships'),
  k: z.int().min(1).default(10).describe('turns that are found for a question'),
  model: z
    .string()
    .optional()
    .describe(
      'checkpoint of a language model; without adapters the bundles learn from the other conversations',
    ),
  adapters: place.adapters,
  states: z.string().optional().describe('file in which what the model makes of the conversations is kept'),
  hashed: z
    .boolean()
    .default(false)
    .describe(
      'bundles over hashed words too, which need no language model and learn from the other conversations',
    ),
  threads: place.threads,
});

const parts = [0, 0.2, 0.35, 0.5];
/** How much the turns beside one may count. */
const NEIGHBOURS = parts.flatMap((before) => parts.map((behind) => ({ before, behind })));
/** How much the bundles may count beside words, whose scores are a few tens. */
const BUNDLES = [0, 0.5, 1, 2, 4, 8];

interface Way {
  readonly name: string;
  readonly figures: readonly RecallFigure[];
}

/** `memory locomo`: how much of what answers questions about long conversations is found. */
export const locomoVerb: MechanismVerb<typeof schema> = {
  path: ['memory', 'locomo'],
  description: 'measure retrieval on long conversations: the share of the evidence that is found',
  schema,
  examples: [
    'palimpsest memory locomo --file locomo10.json',
    'palimpsest memory locomo --file locomo10.json --hashed',
    'palimpsest memory locomo --file locomo10.json --model model.gguf --states states.safetensors',
    'palimpsest memory locomo --file locomo10.json --model pocket --adapters pocket-memory',
  ],
  async run({ file, k, model, adapters, states, hashed, threads }, { output }) {
    if (adapters !== undefined && model === undefined) {
      throw new InputError('Adapters need the language model that they were made for; give it as --model.');
    }
    if (states !== undefined && (model === undefined || adapters !== undefined)) {
      throw new InputError('--states keeps what a --model without --adapters makes of the conversations.');
    }
    const conversations = await readLocomo(file);
    const words = conversations.map(wordScores);
    const ways = byWords(conversations, words, k);
    if (model !== undefined && adapters !== undefined) {
      const bundles = await scoresOfBundles(conversations, { model, adapters, threads }, output.note);
      ways.push(...byBundles(conversations, words, bundles, k));
    }
    const learn = async (name: string, parts: readonly ConversationParts[]) => {
      const engine = await createEngine('auto', { threads });
      try {
        const learned = await learnedBundles(engine, conversations, parts, output.note);
        ways.push(...byLearned(name, conversations, words, learned, k));
      } finally {
        await engine.dispose();
      }
    };
    if (hashed) await learn('hashed words', conversations.map(hashedWords));
    if (model !== undefined && adapters === undefined) {
      await learn('the model', await statesOfModel(conversations, { model, states, threads }, output.note));
    }
    const names = ways[0]!.figures.map(({ name, questions }) => `${name} (${questions})`);
    output.print(
      textTable(
        ['way', ...names],
        ways.map(({ name, figures }) => [name, ...figures.map(shown)]),
        [],
        output.width,
      ),
    );
    output.emit({ k, ways });
    return 0;
  },
};

const shown = ({ mean, standardError }: RecallFigure): string =>
  `${mean.toFixed(3)} ± ${standardError.toFixed(3)}`;

function byWords(
  conversations: readonly LongConversation[],
  words: readonly QuestionScores[],
  k: number,
): Way[] {
  const plain = conversations.map((one, c) => evidenceRecall(one, words[c]!, k));
  const beside = besideByWords(conversations, words, k);
  return [
    { name: 'BM25', figures: recallFigures(conversations, plain) },
    { name: 'BM25 with the turns beside', figures: recallFigures(conversations, beside.recalls) },
  ];
}

/** The turns beside one, as much as is best on the other conversations. */
const besideByWords = (
  conversations: readonly LongConversation[],
  words: readonly QuestionScores[],
  k: number,
) =>
  leaveOneOut(conversations, NEIGHBOURS, (c, part) => withNeighbours(conversations[c]!, words[c]!, part), k);

function byBundles(
  conversations: readonly LongConversation[],
  words: readonly QuestionScores[],
  bundles: readonly QuestionScores[],
  k: number,
): Way[] {
  const alone = conversations.map((one, c) => evidenceRecall(one, bundles[c]!, k));
  const both = (c: number, weight: number) => fused(words[c]!, bundles[c]!, weight);
  const settings = NEIGHBOURS.flatMap((part) => BUNDLES.map((weight) => ({ part, weight })));
  const plain = leaveOneOut(conversations, BUNDLES, both, k);
  const beside = leaveOneOut(
    conversations,
    settings,
    (c, { part, weight }) => withNeighbours(conversations[c]!, both(c, weight), part),
    k,
  );
  return [
    { name: 'three bundles', figures: recallFigures(conversations, alone) },
    { name: 'three bundles and BM25', figures: recallFigures(conversations, plain.recalls) },
    { name: 'the same with the turns beside', figures: recallFigures(conversations, beside.recalls) },
  ];
}

/** How much learned bundles may count beside words. */
const LEARNED = [4, 8, 12, 16, 24];

/** Ways with bundles that learned from other conversations; how much they count is chosen on conversations that they did not learn from. */
function byLearned(
  name: string,
  conversations: readonly LongConversation[],
  words: readonly QuestionScores[],
  { scores, held }: LearnedScores,
  k: number,
): Way[] {
  const { chosen } = besideByWords(conversations, words, k);
  const besides = (c: number, part: Neighbours) => withNeighbours(conversations[c]!, words[c]!, part);
  const fusedWith = (baseOf: (left: number, c: number) => QuestionScores) =>
    conversations.map((one, c) => {
      const worth = (weight: number) =>
        mean(
          [...held[c]!].flatMap(([other, own]) =>
            evidenceRecall(conversations[other]!, fused(baseOf(c, other), own, weight), k),
          ),
        );
      const best = LEARNED.reduce((a, b) => (worth(b) > worth(a) ? b : a));
      return evidenceRecall(one, fused(baseOf(c, c), scores[c]!, best), k);
    });
  const alone = conversations.map((one, c) => evidenceRecall(one, scores[c]!, k));
  return [
    { name: `bundles of ${name}`, figures: recallFigures(conversations, alone) },
    {
      name: `BM25 and bundles of ${name}`,
      figures: recallFigures(
        conversations,
        fusedWith((_, c) => words[c]!),
      ),
    },
    {
      name: 'the same with the turns beside',
      figures: recallFigures(
        conversations,
        fusedWith((left, c) => besides(c, chosen[left]!)),
      ),
    },
  ];
}

const fused = (base: QuestionScores, bundles: QuestionScores, weight: number): QuestionScores =>
  base.map((own, i) => own.map((score, at) => score + weight * bundles[i]![at]!));

async function statesOfModel(
  conversations: readonly LongConversation[],
  { model, states, threads }: { model: string; states: string | undefined; threads: number | undefined },
  note: (text: string) => void,
): Promise<ConversationParts[]> {
  const known = states === undefined ? undefined : await loadStates(states, conversations);
  if (known) return known;
  const engine = await createEngine('auto', { threads });
  try {
    const text = new TextModel(engine, await loadPretrained(model, { capacity: 256 }));
    const made = await statesOf(text, conversations, note);
    await text.dispose();
    if (states !== undefined) await saveStates(states, conversations, made);
    return made;
  } finally {
    await engine.dispose();
  }
}

async function scoresOfBundles(
  conversations: readonly LongConversation[],
  { model, adapters, threads }: { model: string; adapters: string; threads: number | undefined },
  note: (text: string) => void,
): Promise<QuestionScores[]> {
  const engine = await createEngine('auto', { threads });
  try {
    const text = new TextModel(engine, await loadPretrained(model));
    const own = await loadConversation(adapters, text.model.options);
    const scores: QuestionScores[] = [];
    for (const conversation of conversations) {
      scores.push(await bundleScores(text, own, conversation));
      note(`${conversation.id}: ${conversation.turns.length} turns`);
    }
    await text.dispose();
    return scores;
  } finally {
    await engine.dispose();
  }
}
