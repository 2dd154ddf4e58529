import { blankExample, type Draw, recallTask } from '@palimpsest/lm';
import { InputError } from '@palimpsest/tensor-core';
import { z } from 'zod';

const ALPHABET = [...'0123456789 .?abcdefghijklmnopqrstuvwxyz'];
const IDS = new Map(ALPHABET.map((character, id) => [character, id]));
const FILLER = 'the grass is green. the sky is blue. the sun is warm. here we go. there and back again. ';
const QUESTION = ' key? ';

const encode = (text: string) => Int32Array.from(text, (character) => IDS.get(character)!);

/**
 * Draws a passkey text, characters as tokens: the repeated filler of RULER's simplest needle, the sentence "key 4711." at a
 * depth, and at the end the question, after which the digits are expected. The digits are drawn for every text, and the
 * filler starts at a random place.
 * @param length characters read, the digits but the last among them
 * @param depth from 0 (first thing in the text) to 1 (right before the question)
 * @throws InputError when the sentence and the question do not fit.
 */
export function drawPasskey(digits: number, length: number, depth: number): Draw {
  const question = encode(QUESTION);
  const needleLength = ` key ${'0'.repeat(digits)}.`.length;
  const room = length - question.length - (digits - 1);
  if (room < needleLength) {
    throw new InputError(
      `A passkey of ${digits} digits needs a text of at least ${needleLength + question.length + digits - 1} characters, but the length is ${length}.`,
    );
  }
  const filler = encode(FILLER);
  return (rng) => {
    const { inputs, targets } = blankExample(length, 0);
    const key = Array.from({ length: digits }, () => rng.int(10));
    const offset = rng.int(filler.length);
    for (let at = 0; at < room; at++) inputs[at] = filler[(offset + at) % filler.length]!;
    inputs.set(encode(` key ${key.join('')}.`), Math.round(depth * (room - needleLength)));
    inputs.set(question, room);
    inputs.set(key.slice(0, -1), room + question.length);
    key.forEach((digit, index) => {
      targets[room + question.length - 1 + index] = digit;
    });
    return { inputs, targets };
  };
}

/** Passkey: a number hidden in filler, by depth and length. */
export const passkey = recallTask({
  name: 'passkey',
  title: 'Passkey in a haystack',
  description:
    'Characters. A sentence with random digits is hidden in repeated filler at some depth; at the end the digits must be told. Asked at every depth and at lengths beyond training, the text streamed through the memory. Accuracy is per digit.',
  shape: {
    digits: z.int().min(1).default(2).describe('digits of the key'),
    trainLength: z.int().min(32).default(96).describe('characters of a training text'),
    factors: z.array(z.int().min(1)).default([1, 2, 4]).describe('test lengths in units of it'),
    depths: z
      .array(z.number().min(0).max(1))
      .default([0, 0.25, 0.5, 0.75, 1])
      .describe('where the key stands, from first (0) to last (1)'),
  },
  texts: ALPHABET,
  defaults: { examples: 128 },
  plan({ digits, trainLength, factors, depths }) {
    const asking = (length: number, depth: number) => ({
      slice: { length, depth },
      length,
      draw: drawPasskey(digits, length, depth),
    });
    return {
      vocabSize: ALPHABET.length,
      training: Array.from({ length: 21 }, (_, index) => asking(trainLength, index / 20)),
      testing: factors.flatMap((factor) =>
        depths.map((depth) => ({ ...asking(factor * trainLength, depth), beyondTraining: factor > 1 })),
      ),
      chance: 0.1,
    };
  },
});
