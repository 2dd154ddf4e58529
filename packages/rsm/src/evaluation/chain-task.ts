import { InputError } from '@palimpsest/tensor-core';
import type { AnswerTask, Question } from './answer-task.js';

export interface ChainOptions {
  /** Results are taken modulo this number, 2 or more, so that every one of them has an id. Default 10. */
  readonly modulus?: number;
  /** Operands are 1 to this number. Default 4. */
  readonly largestOperand?: number;
  /** Tokens from one step of the chain to the next, 2 or more: a chunk's length puts every step into a chunk. */
  readonly spacing: number;
  /** Different filler tokens. Default 4. */
  readonly fillers?: number;
}

type Operation = (value: number, operand: number) => number;
const OPERATIONS: readonly Operation[] = [(a, b) => a + b, (a, b) => a - b, (a, b) => a * b];

/**
 * A chain of arithmetic: a start value, then `difficulty` steps (operation, operand), `spacing` tokens apart, then a mark
 * after which the last result is expected. Intermediate results do not stand in the text, so that depth asks for computing
 * and not for copying; results are modulo a bound, so that every one has an id.
 *
 * Ids: numbers 0 … modulus - 1, operations +, -, ×, start mark, answer mark, fillers.
 */
export function chainTask(options: ChainOptions): AnswerTask {
  const { modulus = 10, largestOperand = 4, spacing, fillers = 4 } = options;
  if (!(Number.isInteger(spacing) && spacing >= 2)) {
    throw new InputError(
      `A chain needs its steps 2 or more tokens apart, but a spacing of ${spacing} was given.`,
    );
  }
  if (!(Number.isInteger(modulus) && modulus >= 2 && largestOperand >= 1 && largestOperand < modulus)) {
    throw new InputError(
      `A chain needs a modulus of 2 or more and operands below it, but ${modulus} and ${largestOperand} were given.`,
    );
  }
  const startMark = modulus + OPERATIONS.length;
  const answerMark = startMark + 1;
  const firstFiller = answerMark + 1;
  // Every step begins a stretch of `spacing` tokens; the last one and the mark must fit behind its beginning.
  const lastStep = (length: number) => Math.floor((length - 3) / spacing) * spacing;
  return {
    name: 'chain',
    vocabSize: firstFiller + fillers,
    answers: Array.from({ length: modulus }, (_, number) => number),
    unit: 'steps',
    hardest: (length) => Math.floor(lastStep(length) / spacing),
    question(rng, length, difficulty): Question {
      const tokens = Int32Array.from({ length }, () => firstFiller + rng.int(fillers));
      let at = lastStep(length) - difficulty * spacing;
      let value = rng.int(modulus);
      tokens.set([startMark, value], at);
      for (let step = 0; step < difficulty; step++) {
        at += spacing;
        const operation = rng.int(OPERATIONS.length);
        const operand = 1 + rng.int(largestOperand);
        tokens.set([modulus + operation, operand], at);
        value = ((OPERATIONS[operation]!(value, operand) % modulus) + modulus) % modulus;
      }
      tokens[length - 1] = answerMark;
      return { tokens, answer: value, difficulty };
    },
  };
}
