import { InputError } from '@palimpsest/tensor-core';
import { z } from 'zod';

/** When a cache is looked through. */
export const scheduleSchema: z.ZodObject<{
  updateInterval: z.ZodDefault<z.ZodInt>;
  maxTokensPerForward: z.ZodDefault<z.ZodNullable<z.ZodInt>>;
}> = z.strictObject({
  updateInterval: z.int().min(1).default(512).describe('tokens between two updates of the cache'),
  maxTokensPerForward: z
    .int()
    .min(1)
    .nullable()
    .default(128)
    .describe('longest piece of a prompt, which divides the interval; null: an interval'),
});
export type Schedule = z.output<typeof scheduleSchema>;

/** @throws InputError for a schedule that does not fit together. */
export function checkSchedule(given: z.input<typeof scheduleSchema>): Schedule {
  const parsed = scheduleSchema.safeParse(given);
  if (!parsed.success) {
    const issue = parsed.error.issues[0]!;
    throw new InputError(`The schedule of updates is wrong at '${issue.path.join('.')}': ${issue.message}.`);
  }
  const { updateInterval, maxTokensPerForward } = parsed.data;
  if (given.maxTokensPerForward === undefined && updateInterval % (maxTokensPerForward ?? 1) !== 0) {
    return { updateInterval, maxTokensPerForward: greatestDivisor(updateInterval, maxTokensPerForward ?? 1) };
  }
  if (maxTokensPerForward !== null && updateInterval % maxTokensPerForward !== 0) {
    throw new InputError(
      `maxTokensPerForward divides updateInterval, but ${maxTokensPerForward} does not divide ${updateInterval}.`,
    );
  }
  return parsed.data;
}

const greatestDivisor = (value: number, most: number): number => {
  let divisor = Math.min(value, most);
  while (value % divisor !== 0) divisor -= 1;
  return divisor;
};

/** A run of tokens that goes through the model at once. */
export interface TextPiece {
  readonly from: number;
  readonly count: number;
  /** An update follows. */
  readonly updates: boolean;
}

/**
 * Cuts the next tokens of a text at multiples of the longest piece and of the interval, counted from its beginning. What is no whole
 * piece is cut into powers of two, so that the number of different lengths stays small.
 * @param seen tokens before them
 */
export function* pieces(seen: number, count: number, schedule: Schedule): Generator<TextPiece> {
  const { updateInterval } = schedule;
  const longest = schedule.maxTokensPerForward ?? updateInterval;
  for (let from = 0; from < count; ) {
    const at = seen + from;
    const room = Math.min(longest - (at % longest), count - from);
    const length = room === longest ? room : 2 ** Math.floor(Math.log2(room));
    from += length;
    yield { from: from - length, count: length, updates: (at + length) % updateInterval === 0 };
  }
}
