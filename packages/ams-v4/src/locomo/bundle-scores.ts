import type { ConversationAdapters } from '../conversation/adapters.js';
import { KeyValueMemory } from '../conversation/key-value-memory.js';
import type { TextModel } from '../model/text-model.js';
import type { QuestionScores } from './evidence-recall.js';
import type { LongConversation } from './read-locomo.js';

/** Turns that are written at once. */
const AT_ONCE = 64;

/** What the three bundles of a memory score for every turn and question, with adapters that were trained on other texts. */
export async function bundleScores(
  text: TextModel,
  adapters: ConversationAdapters,
  { turns, questions }: LongConversation,
): Promise<QuestionScores> {
  // Only what finds is needed: no keys and values are kept.
  const config = { ...adapters.config, prefixMode: 'slots', lexicalWeight: 0 } as const;
  const memory = new KeyValueMemory(text, { ...adapters, config });
  try {
    for (let at = 0; at < turns.length; at += AT_ONCE) {
      const some = turns.slice(at, at + AT_ONCE);
      await memory.writeMany(
        some.map((turn) => `${turn.speaker}: ${turn.text}`),
        { force: true },
      );
    }
    const found = await memory.retrieve(
      questions.map((question) => question.text),
      turns.length,
    );
    return found.map((list) => {
      const scores = new Float64Array(turns.length);
      for (const { mid, score } of list) scores[mid] = score;
      return scores;
    });
  } finally {
    await memory.dispose();
  }
}
