import { describe, expect, it } from 'vitest';
import { KeyValueMemory, TextModel, trainConversation } from '../src/index.js';
import { withEngine } from './support/engine.js';
import { talks, wordModel } from './support/word-model.js';

const engine = withEngine();

describe("retrieval without the model's states", () => {
  it('finds by tokens alone what answers a question, also when the memory is put back', async () => {
    const text = new TextModel(engine(), wordModel());
    const adapters = await trainConversation(text, talks(20, 1), {
      memory: { poolLayer: 'none', kvDtype: 'f32' },
      steps: 60,
    });
    const [talk] = talks(1, 77) as [ReturnType<typeof talks>[0]];
    const questions = talk.queries.map((query) => query.text);
    const [told, put] = [new KeyValueMemory(text, adapters), new KeyValueMemory(text, adapters)];
    await told.writeMany(talk.facts);
    for (const mid of told.store.allMids()) put.restore(told.stored(mid));
    for (const memory of [told, put]) {
      const found = await memory.retrieve(questions);
      expect(found.map(([first]) => first!.mid)).toEqual(talk.queries.map(({ target }) => target));
      // What reads no states says the same of every memory.
      for (const { parts } of found.flat()) expect(parts.ctx).toBeCloseTo(1, 6);
      await memory.dispose();
    }
    await text.dispose();
  }, 120_000);
});
