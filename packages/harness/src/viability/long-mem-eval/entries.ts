import { readFile } from 'node:fs/promises';
import { InputError, parseJson } from '@palimpsest/base';
import { z } from 'zod';

/** A text of the benchmark can be a number, as some answers are. */
const text = z.union([z.string(), z.number()]).transform(String);

const entrySchema = z.object({
  question_id: text,
  question_type: z.string(),
  question: z.string(),
  answer: text,
  haystack_sessions: z.array(z.array(z.object({ role: z.string(), content: z.string() }))),
  haystack_session_ids: z.array(text).optional(),
  haystack_dates: z.array(z.string()).optional(),
  answer_session_ids: z.array(text).default([]),
});

/** A question about many talks with a user, and the talks (Wu et al. 2024, LongMemEval). */
export type LongMemEntry = z.output<typeof entrySchema>;

/** Questions whose answer was never told have this at the end of their ids. */
const ABSTENTION = '_abs';

export const asksForAbstention = ({ question_id: id }: LongMemEntry): boolean => id.endsWith(ABSTENTION);

/** Turns of a user that are shorter tell nothing, and longer ones are cut. */
const [LEAST, MOST] = [10, 500];

/** What a user said, and in which session. */
export interface SaidTurn {
  readonly text: string;
  readonly session: string;
}

/** What is remembered of an entry: the user's turns of more than ten characters, cut at 500. */
export const saidBy = (entry: LongMemEntry): SaidTurn[] =>
  entry.haystack_sessions.flatMap((session, place) =>
    session
      .filter(({ role }) => role === 'user')
      .map(({ content }) => content.trim())
      .filter((content) => content.length > LEAST)
      .map((content) => ({ text: content.slice(0, MOST), session: sessionId(entry, place) })),
  );

/** A file without ids of sessions means their places. */
const sessionId = ({ haystack_session_ids: ids }: LongMemEntry, place: number): string =>
  ids?.[place] ?? String(place);

/** @throws InputError for a file that is not there, or not of the benchmark's shape. */
export async function readLongMemEval(path: string): Promise<LongMemEntry[]> {
  const source = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new InputError(
      error.code === 'ENOENT' ? `There is no file '${path}'.` : `'${path}' cannot be read: ${error.message}`,
    );
  });
  const parsed = z.array(entrySchema).safeParse(parseJson(source, path));
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new InputError(
    `'${path}' is not a list of questions as LongMemEval has them: ${issue!.path.join('.')}: ${issue!.message}.`,
  );
}
