import { InputError, nodeModule, parseJson } from '@palimpsest/base';
import { z } from 'zod';

/** A long conversation of two people, and questions about it. */
export interface LongConversation {
  readonly id: string;
  /** What was said, in its order. */
  readonly turns: readonly {
    readonly speaker: string;
    readonly text: string;
    /** Number of the meeting. */
    readonly session: number;
  }[];
  readonly questions: readonly {
    readonly text: string;
    readonly category: Category;
    /** Places of the turns that answer it. */
    readonly evidence: readonly number[];
  }[];
}

const WORD = /[a-z0-9]+/g;

/** Words of a turn or question: runs of letters and digits in lower case. */
export const wordsIn = (text: string): readonly string[] => text.toLowerCase().match(WORD) ?? [];

/** Turns with who said them, as the bundles read them. */
export const saidIn = ({ turns }: LongConversation): string[] =>
  turns.map(({ speaker, text }) => `${speaker}: ${text}`);

/** Kinds of questions, by the numbers that the file has. */
export const categories = {
  1: 'multi-hop',
  2: 'temporal',
  3: 'open-domain',
  4: 'single-hop',
  5: 'adversarial',
} as const;
export type Category = (typeof categories)[keyof typeof categories];

const turnSchema = z.object({
  speaker: z.string(),
  dia_id: z.string(),
  text: z.string(),
  blip_caption: z.string().optional(),
});
const fileSchema = z.array(
  z.object({
    sample_id: z.string(),
    conversation: z.record(z.string(), z.unknown()),
    qa: z.array(
      z.object({
        question: z.string(),
        evidence: z.array(z.string()),
        category: z.union([z.literal(1), z.literal(2), z.literal(3), z.literal(4), z.literal(5)]),
      }),
    ),
  }),
);

const SESSION = /^session_(\d+)$/;

/**
 * Reads conversations in the form of LoCoMo (Maharana et al. 2024). What a picture showed counts as said. Questions whose evidence is
 * not there are left out.
 * @throws InputError for a file that is missing or of another form.
 */
export async function readLocomo(path: string): Promise<LongConversation[]> {
  const text = await nodeModule('node:fs')
    .promises.readFile(path, 'utf8')
    .catch((error: Error) => {
      throw new InputError(`The conversations '${path}' cannot be read: ${error.message}.`);
    });
  const parsed = fileSchema.safeParse(parseJson(text, path));
  if (!parsed.success) {
    const issue = parsed.error.issues[0]!;
    throw new InputError(
      `${path} has no conversations of LoCoMo: '${issue.path.join('.')}': ${issue.message}.`,
    );
  }
  return parsed.data.map((entry) => conversationOf(entry, path));
}

function conversationOf(
  { sample_id: id, conversation, qa }: z.output<typeof fileSchema>[number],
  path: string,
): LongConversation {
  const meetings = Object.keys(conversation)
    .flatMap((key) => (SESSION.test(key) ? [{ key, number: Number(SESSION.exec(key)![1]) }] : []))
    .sort((a, b) => a.number - b.number);
  const said = meetings.flatMap(({ key, number }) => {
    const parsed = z.array(turnSchema).safeParse(conversation[key]);
    if (!parsed.success) throw new InputError(`${path}: '${key}' of '${id}' holds no turns.`);
    return parsed.data.map((turn) => ({ ...turn, session: number }));
  });
  const places = new Map(said.map(({ dia_id }, place) => [dia_id, place]));
  return {
    id,
    turns: said.map(({ speaker, text, blip_caption, session }) => ({
      speaker,
      text: blip_caption === undefined ? text : `${text} ${blip_caption}`,
      session,
    })),
    questions: qa.flatMap(({ question, evidence, category }) => {
      // Some entries hold several ids in one string.
      const ids = evidence.flatMap((entry) => entry.split(/[;,\s]+/));
      const found = [...new Set(ids.flatMap((one) => places.get(one) ?? []))];
      return found.length === 0 ? [] : [{ text: question, category: categories[category], evidence: found }];
    }),
  };
}
