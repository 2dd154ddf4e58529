import { type Engine, type NDArray, ndarray, Rng, runOnce, type tf } from '@palimpsest/tensor-core';
import { conversationConfig } from '../conversation/config.js';
import { stacked } from '../conversation/features.js';
import {
  type HeadInputs,
  type HeadParameters,
  headsInit,
  memoryDirections,
  queryDirections,
} from '../conversation/heads.js';
import { type FeatureSession, trainHeads } from '../conversation/train-heads.js';
import { updatedSummary } from '../model/session-summary.js';
import { fusedScores } from '../retrieval/fused-score.js';
import type { QuestionScores } from './evidence-recall.js';
import type { LongConversation } from './read-locomo.js';
import { type ConversationParts, Whitening } from './whitened.js';

/** Numbers of a text that the maps read as its words, and as many as its state. */
const WIDTH = 192;
const STEPS = 100;
/** Conversations per step. */
const BATCH = 3;
const SEED = 1;
const config = conversationConfig({ dTopic: 128, featureNoise: 1 });

/** A conversation as the maps read it, and its questions once each. */
type AskedSession = FeatureSession & {
  readonly questions: readonly { readonly centroid: Float32Array; readonly hidden: Float32Array }[];
};

/** Scores of the bundles, and of bundles that learned without some of the others, by which settings are chosen. */
export interface LearnedScores {
  /** Of each conversation by maps that learned from all others. */
  readonly scores: readonly QuestionScores[];
  /** For each conversation some of the others, scored by maps that learned from neither it nor them. */
  readonly held: readonly ReadonlyMap<number, QuestionScores>[];
}

/** Others that are held back from each conversation's maps to choose settings by, where there are so many. */
const HELD = 3;

/**
 * Trains the three bundles by contrast for every conversation on the questions and evidence of the others alone, components included.
 * @param note told of each conversation
 * @param steps optimiser steps of each training. Default 100
 */
export async function learnedBundles(
  engine: Engine,
  conversations: readonly LongConversation[],
  parts: readonly ConversationParts[],
  note: (said: string) => void,
  steps = STEPS,
): Promise<LearnedScores> {
  const scores: QuestionScores[] = [];
  const held: Map<number, QuestionScores>[] = [];
  const all = [...conversations.keys()];
  for (const left of all) {
    const others = all.filter((one) => one !== left);
    const sessions = featureSessions(conversations, parts, others);
    const scored = async (learned: readonly number[], asked: readonly number[]) => {
      const of = learned.map((one) => sessions[one]!);
      const heads = await trainHeads(engine, config, WIDTH, of, Rng.fromSeed(SEED), {
        steps,
        batch: BATCH,
        first: tiedHeads,
      });
      const found = new Map<number, QuestionScores>();
      for (const one of asked) found.set(one, await scoresOf(engine, heads, sessions[one]!));
      return found;
    };
    const back = others.filter((_, i) => i < Math.min(HELD, others.length - 1));
    // By turns, so that none is held back from all.
    const chosen = back.map((_, i) => others[(left + i) % others.length]!);
    held.push(
      chosen.length === 0
        ? new Map()
        : await scored(
            others.filter((one) => !chosen.includes(one)),
            chosen,
          ),
    );
    scores.push((await scored(others, [left])).get(left)!);
    note(`${conversations[left]!.id}: bundles learned from the ${others.length} others`);
  }
  return { scores, held };
}

/** Maps of questions that begin as those of turns, so that what is alike is near before anything was learned. */
function tiedHeads(rng: Rng): HeadParameters<NDArray> {
  const heads = headsInit(config, WIDTH, rng);
  const { memory, query } = heads;
  // A question has no turns before it: what it says is held against what was said around a turn.
  const swapped = Float32Array.from(memory.ctx.weight.data);
  for (let row = 0; row < config.dCtx; row++) {
    const at = 2 * WIDTH * row;
    swapped.copyWithin(at, at + WIDTH, at + 2 * WIDTH);
    swapped.fill(0, at + WIDTH, at + 2 * WIDTH);
  }
  return {
    ...heads,
    query: { ...query, topic: memory.topic, ctx: { weight: ndarray(swapped, memory.ctx.weight.shape) } },
  };
}

/** All conversations as the maps read them, by components of some of them. */
function featureSessions(
  conversations: readonly LongConversation[],
  parts: readonly ConversationParts[],
  fitted: readonly number[],
): AskedSession[] {
  const count = parts[0]!.turns.length;
  // The first parts share what stands for the words, the last one is the state; of one part both halves are its components.
  const widths = Array.from({ length: count }, (_, part) =>
    count === 1 ? 2 * WIDTH : part === count - 1 ? WIDTH : WIDTH / (count - 1),
  );
  const whitenings = widths.map((width, part) =>
    Whitening.of(
      fitted.flatMap((one) => parts[one]!.turns[part]!),
      fitted.flatMap((one) => parts[one]!.questions[part]!),
      width,
    ),
  );
  return conversations.map(({ questions }, one) => {
    const joined = (of: 'turn' | 'question', place: number) => {
      const row = new Float32Array(2 * WIDTH);
      let at = 0;
      whitenings.forEach((whitening, part) => {
        const own = parts[one]![`${of}s`][part]![place]!;
        row.set(whitening[of](own), at);
        at += widths[part]!;
      });
      return { centroid: row.slice(0, WIDTH), hidden: row.slice(WIDTH) };
    };
    const asked = questions.map((_, place) => joined('question', place));
    return {
      facts: parts[one]!.turns[0]!.map((_, place) => joined('turn', place)),
      questions: asked,
      queries: questions.flatMap(({ evidence }, place) =>
        evidence.map((target) => ({ ...asked[place]!, target })),
      ),
    };
  });
}

/** Scores of all turns for each question, as training has them. */
async function scoresOf(
  engine: Engine,
  heads: HeadParameters<NDArray>,
  { facts, questions }: AskedSession,
): Promise<QuestionScores> {
  if (questions.length === 0) return [];
  let last: Float32Array | undefined;
  const summaries = facts.map(({ hidden }) => {
    last = updatedSummary(last, hidden);
    return last;
  });
  const inputs = (some: AskedSession['questions'], summary: readonly Float32Array[]) => ({
    centroid: stacked(
      some.map((one) => one.centroid),
      WIDTH,
    ),
    hidden: stacked(
      some.map((one) => one.hidden),
      WIDTH,
    ),
    summary: stacked(summary, WIDTH),
  });
  const { data } = await runOnce(
    engine,
    (own: HeadParameters, turns: HeadInputs, asked: HeadInputs, times: tf.Tensor) =>
      fusedScores(queryDirections(own, asked), memoryDirections(own, turns, times), own.rawBundleWeight),
    heads,
    inputs(facts, summaries),
    inputs(
      questions,
      questions.map(() => last!),
    ),
    ndarray(Float32Array.from(facts.keys()), [facts.length]),
  );
  return questions.map((_, i) => Float64Array.from(data.slice(i * facts.length, (i + 1) * facts.length)));
}
