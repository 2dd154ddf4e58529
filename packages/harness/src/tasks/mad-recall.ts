import { type Draw, IGNORED_TARGET, recallTask } from '@palimpsest/lm';
import type { Rng } from '@palimpsest/tensor-core';
import { z } from 'zod';

export interface MadRecallShape {
  /** Half of them keys, half of them values. */
  readonly vocabSize: number;
  readonly length: number;
  /** Keys and values are motifs of up to this many tokens; 1 in plain recall. */
  readonly longestMotif: number;
  /** Share of tokens that are noise, from ids of their own. */
  readonly noise: number;
  readonly noiseTokens: number;
}

/**
 * Draws MAD's in-context recall (Poli et al. 2024) and its fuzzy and noisy forms: pairs of key and value under a map drawn
 * for the sequence, one after the other; wherever a key was seen before, its value is expected. Fuzzy: keys and values are
 * motifs of several tokens, and every token of the value counts. Noisy: noise tokens may stand before a pair.
 * Ids: keys, values, noise.
 */
export function drawMadRecall(shape: MadRecallShape): Draw {
  const half = Math.floor(shape.vocabSize / 2);
  return (rng) => {
    const dictionary = drawDictionary(rng, half, shape.longestMotif);
    const tokens: number[] = [];
    const targets: number[] = [];
    const seen = new Set<number>();
    const say = (token: number, target: number) => {
      tokens.push(token);
      targets.push(target);
    };
    while (tokens.length < shape.length) {
      if (rng.uniform() < shape.noise) {
        say(2 * half + rng.int(shape.noiseTokens), IGNORED_TARGET);
        continue;
      }
      const index = rng.int(dictionary.length);
      const { key, value } = dictionary[index]!;
      const isKnown = seen.has(index);
      const ask = (token: number) => (isKnown ? token : IGNORED_TARGET);
      key.forEach((token, at) => {
        say(token, at === key.length - 1 ? ask(value[0]!) : IGNORED_TARGET);
      });
      value.forEach((token, at) => {
        say(token, at < value.length - 1 ? ask(value[at + 1]!) : IGNORED_TARGET);
      });
      seen.add(index);
    }
    return {
      inputs: Int32Array.from(tokens.slice(0, shape.length)),
      targets: Int32Array.from(targets.slice(0, shape.length)),
    };
  };
}

interface Entry {
  readonly key: readonly number[];
  readonly value: readonly number[];
}

/** Cuts the keys into motifs, so that none begins another, and gives each a motif of value tokens. */
function drawDictionary(rng: Rng, half: number, longestMotif: number): Entry[] {
  const keys = Array.from(rng.permutation(half));
  const entries: Entry[] = [];
  while (keys.length > 0) {
    const key = keys.splice(0, 1 + rng.int(longestMotif));
    const value = Array.from({ length: 1 + rng.int(longestMotif) }, () => half + rng.int(half));
    entries.push({ key, value });
  }
  return entries;
}

const shape = (vocabSize: number, length: number) => ({
  vocabSize: z.int().min(4).default(vocabSize).describe('ids of keys and values together'),
  length: z.int().min(8).default(length).describe('tokens of a training sequence'),
  factors: z.array(z.int().min(1)).default([1, 2]).describe('test lengths in units of it'),
});

function plan(
  given: { vocabSize: number; length: number; factors: readonly number[] },
  changes: Partial<MadRecallShape> = {},
) {
  const { vocabSize, length, factors } = given;
  const plain = { vocabSize, longestMotif: 1, noise: 0, noiseTokens: 0, ...changes };
  const asking = (tokens: number) => ({
    slice: { length: tokens },
    length: tokens,
    draw: drawMadRecall({ ...plain, length: tokens }),
  });
  return {
    vocabSize: 2 * Math.floor(vocabSize / 2) + plain.noiseTokens,
    training: [asking(length)],
    testing: factors.map((factor) => ({ ...asking(factor * length), beyondTraining: factor > 1 })),
    chance: 1 / Math.floor(vocabSize / 2),
  };
}

/** MAD: in-context recall. */
export const madRecall = recallTask({
  name: 'mad-recall',
  title: 'MAD: in-context recall',
  description:
    'Keys and values alternate under a map drawn for the sequence; wherever a key was seen before, its value must follow (Poli et al. 2024). Published definition: vocabulary 16, length 128.',
  shape: shape(16, 64),
  plan: (given) => plan(given),
});

/** MAD: fuzzy in-context recall. */
export const madFuzzyRecall = recallTask({
  name: 'mad-fuzzy-recall',
  title: 'MAD: fuzzy in-context recall',
  description:
    'As in-context recall, but keys and values are motifs of one to three tokens, so that a key must be told by several tokens (Poli et al. 2024).',
  shape: {
    ...shape(16, 64),
    longestMotif: z.int().min(1).default(3).describe('longest key or value, tokens'),
  },
  plan: ({ longestMotif, ...given }) => plan(given, { longestMotif }),
});

/** MAD: noisy in-context recall. */
export const madNoisyRecall = recallTask({
  name: 'mad-noisy-recall',
  title: 'MAD: noisy in-context recall',
  description:
    'As in-context recall, with tokens of noise strewn between the pairs (Poli et al. 2024). Published definition: 16 noise tokens, 20 % noise.',
  shape: {
    ...shape(16, 64),
    noise: z.number().min(0).max(0.95).default(0.2).describe('share of noise between pairs'),
    noiseTokens: z.int().min(1).default(16).describe('different noise tokens'),
  },
  plan: ({ noise, noiseTokens, ...given }) => plan(given, { noise, noiseTokens }),
});
