import { blankExample, type Draw, recallTask } from '@palimpsest/lm';
import { InputError } from '@palimpsest/tensor-core';
import { z } from 'zod';

type Operation = (value: number, operand: number) => number;
const OPERATIONS: readonly Operation[] = [(a, b) => a + b, (a, b) => a - b, (a, b) => a * b];

interface ChainShape {
  readonly modulus: number;
  readonly largestOperand: number;
  readonly spacing: number;
  readonly fillers: number;
}

/** Every step begins a stretch of `spacing` tokens; the last one and the mark fit behind its beginning. */
const lengthOf = (depth: number, spacing: number) => (depth + 1) * spacing;

/**
 * Draws a chain of arithmetic: a start value, then `depth` steps (operation, operand), `spacing` tokens apart, then a mark after
 * which the last result is expected. Intermediate results do not stand in the text, so that depth asks for computing and not
 * for copying; results are modulo a bound, so that every one has an id. With `depths` as a range each text draws its own.
 *
 * Ids: numbers 0 to modulus - 1, operations +, -, x, start mark, answer mark, fillers.
 */
export function drawChain(shape: ChainShape, length: number, [least, most]: readonly [number, number]): Draw {
  const { modulus, largestOperand, spacing, fillers } = shape;
  if (largestOperand >= modulus) {
    throw new InputError(
      `A chain needs operands below its modulus, but ${largestOperand} and ${modulus} were given.`,
    );
  }
  const startMark = modulus + OPERATIONS.length;
  const firstFiller = startMark + 2;
  return (rng) => {
    const { inputs, targets } = blankExample(length, 0);
    for (let at = 0; at < length; at++) inputs[at] = firstFiller + rng.int(fillers);
    const depth = least + rng.int(most - least + 1);
    let at = length - lengthOf(depth, spacing);
    let value = rng.int(modulus);
    inputs.set([startMark, value], at);
    for (let step = 0; step < depth; step++) {
      at += spacing;
      const operation = rng.int(OPERATIONS.length);
      const operand = 1 + rng.int(largestOperand);
      inputs.set([modulus + operation, operand], at);
      value = (((OPERATIONS[operation]!(value, operand) % modulus) + modulus) % modulus) as number;
    }
    inputs[length - 1] = startMark + 1;
    targets[length - 1] = value;
    return { inputs, targets };
  };
}

/** Chains of hidden results, sliced by their depth. */
export const chain = recallTask({
  name: 'chain',
  title: 'Chains of hidden results',
  description:
    'A number, then steps of arithmetic far apart, then the question for the result; what stands between is not in the text, so that every step must be computed and kept.',
  shape: {
    modulus: z.int().min(2).default(10).describe('results are taken modulo this number'),
    largestOperand: z.int().min(1).default(4).describe('operands are 1 to this number'),
    spacing: z.int().min(3).default(8).describe('tokens from one step to the next'),
    fillers: z.int().min(1).default(4).describe('different filler tokens'),
    trainDepth: z.int().min(1).default(3).describe('most steps of a chain in training; it draws fewer too'),
    depths: z
      .array(z.int().min(0))
      .default([0, 1, 2, 3, 4])
      .describe(
        'steps of the chains that are asked; deeper ones than in training do not count for the headline',
      ),
  },
  defaults: { steps: 600 },
  plan({ trainDepth, depths, ...shape }) {
    const asking = (least: number, most: number) => {
      const length = lengthOf(most, shape.spacing);
      return { slice: { depth: most }, length, draw: drawChain(shape, length, [least, most]) };
    };
    return {
      vocabSize: shape.modulus + OPERATIONS.length + 2 + shape.fillers,
      training: Array.from({ length: trainDepth }, (_, index) => asking(0, index + 1)),
      testing: depths.map((depth) => ({ ...asking(depth, depth), beyondTraining: depth > trainDepth })),
      chance: 1 / shape.modulus,
    };
  },
});
