import { InputError } from '@palimpsest/tensor-core';
import { z } from 'zod';
import type { NAMMConfig } from '../config.js';

const adaptive = z.strictObject({
  tailShare: z.number().positive().describe('new tokens per kept one after which an update pays'),
  least: z.int().min(1).describe('fewest new tokens'),
  hopLength: z.int().min(1).describe('updates come at multiples of it'),
});

/** When a cache is looked through. */
export const scheduleSchema: z.ZodObject<{
  updateInterval: z.ZodDefault<z.ZodInt>;
  maxTokensPerForward: z.ZodDefault<z.ZodNullable<z.ZodInt>>;
  adaptive: z.ZodOptional<typeof adaptive>;
}> = z.strictObject({
  updateInterval: z.int().min(1).default(512).describe('tokens between two updates of the cache'),
  maxTokensPerForward: z
    .int()
    .min(1)
    .nullable()
    .default(128)
    .describe('longest piece of a prompt, which divides the interval; null: an interval'),
  adaptive: adaptive.optional().describe('updates when they pay, in place of the interval'),
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
    return { ...parsed.data, maxTokensPerForward: greatestDivisor(updateInterval, maxTokensPerForward ?? 1) };
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

/** The schedule that a policy's options ask for. */
export const scheduleOf = ({
  updateInterval,
  maxTokensPerForward,
  adaptive,
  hopLength,
}: NAMMConfig): Schedule => ({
  updateInterval,
  maxTokensPerForward,
  ...(adaptive && { adaptive: { ...adaptive, hopLength } }),
});

/**
 * How many tokens will have been read at the next update.
 * @param seen tokens read: since the last update none, where updates are adaptive
 * @param kept entries that the last update left in the longest head of any layer
 */
export function nextUpdate({ updateInterval, adaptive }: Schedule, seen: number, kept: number): number {
  if (!adaptive) return (Math.floor(seen / updateInterval) + 1) * updateInterval;
  const { tailShare, least, hopLength } = adaptive;
  return Math.ceil((seen + Math.max(least, tailShare * kept)) / hopLength) * hopLength;
}

/** A run of tokens that goes through the model at once. */
export interface TextPiece {
  readonly from: number;
  readonly count: number;
  /** An update follows. */
  readonly updates: boolean;
}

/**
 * Cuts the next tokens of a text at multiples of the longest piece, counted from its beginning, and at updates. What is no whole
 * piece is cut into powers of two, so that the number of different lengths stays small.
 * @param seen tokens before them
 * @param updateAfter where the next update comes, asked for before every piece. Default: at multiples of the interval
 */
export function* pieces(
  seen: number,
  count: number,
  schedule: Schedule,
  updateAfter: (seen: number) => number = (at) => nextUpdate(schedule, at, 0),
): Generator<TextPiece> {
  const longest = schedule.maxTokensPerForward ?? schedule.updateInterval;
  for (let from = 0; from < count; ) {
    const at = seen + from;
    const next = updateAfter(at);
    const room = Math.min(longest - (at % longest), next - at, count - from);
    const length = room === longest ? room : 2 ** Math.floor(Math.log2(room));
    from += length;
    yield { from: from - length, count: length, updates: at + length === next };
  }
}
