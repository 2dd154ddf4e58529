import { loadPretrained } from '@palimpsest/backbone';
import { textTable } from '@palimpsest/base';
import { type MechanismVerb, outputOptions } from '@palimpsest/lm';
import { createEngine, InputError } from '@palimpsest/tensor-core';
import { z } from 'zod';
import { loadConversation } from '../conversation/adapters-folder.js';
import { bundleScores } from '../locomo/bundle-scores.js';
import {
  evidenceRecall,
  leaveOneOut,
  type QuestionScores,
  type RecallFigure,
  recallFigures,
  withNeighbours,
  wordScores,
} from '../locomo/evidence-recall.js';
import { type LongConversation, readLocomo } from '../locomo/read-locomo.js';
import { TextModel } from '../model/text-model.js';
import { place } from './memory-place.js';

const schema = z.strictObject({
  ...outputOptions,
  file: z.string().describe('conversations in the form of LoCoMo; none ships'),
  k: z.int().min(1).default(10).describe('turns that are found for a question'),
  model: place.model,
  adapters: place.adapters,
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
    'palimpsest memory locomo --file locomo10.json --model pocket --adapters pocket-memory',
  ],
  async run({ file, k, model, adapters, threads }, { output }) {
    if ((model === undefined) !== (adapters === undefined)) {
      throw new InputError('The bundles need both --model and --adapters; give both, or neither.');
    }
    const conversations = await readLocomo(file);
    const words = conversations.map(wordScores);
    const ways = byWords(conversations, words, k);
    if (model !== undefined && adapters !== undefined) {
      const bundles = await scoresOfBundles(conversations, { model, adapters, threads }, output.note);
      ways.push(...byBundles(conversations, words, bundles, k));
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
  const beside = leaveOneOut(
    conversations,
    NEIGHBOURS,
    (c, part) => withNeighbours(conversations[c]!, words[c]!, part),
    k,
  );
  return [
    { name: 'BM25', figures: recallFigures(conversations, plain) },
    { name: 'BM25 with the turns beside', figures: recallFigures(conversations, beside.recalls) },
  ];
}

function byBundles(
  conversations: readonly LongConversation[],
  words: readonly QuestionScores[],
  bundles: readonly QuestionScores[],
  k: number,
): Way[] {
  const alone = conversations.map((one, c) => evidenceRecall(one, bundles[c]!, k));
  const fused = (c: number, weight: number) =>
    words[c]!.map((own, i) => own.map((score, at) => score + weight * bundles[c]![i]![at]!));
  const settings = NEIGHBOURS.flatMap((part) => BUNDLES.map((weight) => ({ part, weight })));
  const plain = leaveOneOut(conversations, BUNDLES, fused, k);
  const beside = leaveOneOut(
    conversations,
    settings,
    (c, { part, weight }) => withNeighbours(conversations[c]!, fused(c, weight), part),
    k,
  );
  return [
    { name: 'three bundles', figures: recallFigures(conversations, alone) },
    { name: 'three bundles and BM25', figures: recallFigures(conversations, plain.recalls) },
    { name: 'the same with the turns beside', figures: recallFigures(conversations, beside.recalls) },
  ];
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
