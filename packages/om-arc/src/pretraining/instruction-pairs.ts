import { readRegularFile, systemReason } from '@palimpsest/base';
import { type BpeTokenizer, decodeText, type Example } from '@palimpsest/lm';
import { InputError } from '@palimpsest/tensor-core';
import { z } from 'zod';
import { encodeWithSpecials } from '../data/special-tokens.js';

const pairSchema = z.object({ instruction: z.string().min(1), answer: z.string().min(1) });
/** An instruction with the answer that is to be learnt. */
export type InstructionPair = z.output<typeof pairSchema>;

/**
 * `<|im_start|>instruction<|im_end|><|im_start|>answer<|im_end|>`: the answer and the mark behind it are learnt, what stands
 * before it is only read.
 */
export function instructionExample(
  tokenizer: BpeTokenizer,
  { instruction, answer }: InstructionPair,
): Example {
  const question = encodeWithSpecials(tokenizer, `<|im_start|>${instruction}<|im_end|><|im_start|>`);
  const reply = encodeWithSpecials(tokenizer, `${answer}<|im_end|>`);
  return {
    ids: [...question, ...reply],
    learnt: [...question.map(() => 0), ...reply.map(() => 1)],
  };
}

/** Reads JSON lines of `{ "instruction": ..., "answer": ... }`. @throws InputError naming the line that does not fit. */
export function readInstructionPairs(path: string): InstructionPair[] {
  const text = decodeText(bytesOf(path), `The file of pairs '${path}'`);
  return text.split('\n').flatMap((line, index) => {
    if (line.trim() === '') return [];
    const parsed = pairSchema.safeParse(jsonOf(line));
    if (parsed.success) return [parsed.data];
    throw new InputError(
      `Line ${index + 1} of '${path}' is no pair: a JSON object with the texts "instruction" and "answer" was expected.`,
    );
  });
}

function bytesOf(path: string): Uint8Array {
  try {
    return readRegularFile(path);
  } catch (error) {
    throw new InputError(`The pairs '${path}' cannot be read: ${systemReason(error)}.`);
  }
}

function jsonOf(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
