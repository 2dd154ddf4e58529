import {
  type ConversationAdapters,
  createAgentMemory,
  KeyValueMemory,
  type TextModel,
} from '@palimpsest/ams-v4';
import type { LongMemEntry, SaidTurn } from './entries.js';

/** What a memory made of a question. */
export interface Remembered {
  /** Absent where nothing answers. */
  readonly answer?: string | undefined;
  /** Places of the turns that were found. */
  readonly found: readonly number[];
}

/** Something that is told what a user said, and asked once. */
export type Remembering = (said: readonly SaidTurn[], entry: LongMemEntry) => Promise<Remembered>;

/** Longest prompt with a lead, in tokens. */
const MOST_TOKENS = 200;
const NEW_TOKENS = 40;

/** Answers by a language model behind its memories, greedily. */
export const rememberingModel =
  (text: TextModel, adapters: ConversationAdapters, lead: string): Remembering =>
  async (said, { question }) => {
    const memory = new KeyValueMemory(text, adapters);
    try {
      const written = await memory.writeMany(said.map((turn) => turn.text));
      const placeOf = new Map(written.map(({ mid }, place) => [mid, place]));
      const whole = lead + question;
      const prompt = text.encode(whole, false).length > MOST_TOKENS ? question : whole;
      const [answer] = await memory.answer([prompt], { maxTokens: NEW_TOKENS });
      const found = answer!.found.filter(({ kept }) => kept).map(({ mid }) => placeOf.get(mid)!);
      return { answer: answer!.text, found };
    } finally {
      await memory.dispose();
    }
  };

/** Finds by words alone, and answers nothing. */
export const rememberingWords =
  (k: number): Remembering =>
  async (said, { question }) => {
    const memory = await createAgentMemory('none');
    const placeOf = new Map<number, number>();
    for (const [place, turn] of said.entries()) {
      const { id } = await memory.add(turn.text, { force: true });
      placeOf.set(id, place);
    }
    const hits = await memory.search(question, { k });
    await memory.close();
    return { found: hits.map(({ id }) => placeOf.get(id)!) };
  };
