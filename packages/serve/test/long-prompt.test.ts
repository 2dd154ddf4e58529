import type { LanguageModel } from '@palimpsest/harness';
import { describe, expect, it } from 'vitest';
import { serving } from './support/serving.js';

const { start } = serving();

/** Words of which no two are alike, so that none is known from the one before. */
const words = (count: number) =>
  Array.from({ length: count }, (_, index) => `w${(index * 2654435761) % 4294967296}x`).join(' ');

/** Counts the turns that others have while something is done. */
async function turnsDuring(work: () => Promise<unknown>): Promise<number> {
  let turns = 0;
  let isOver = false;
  const turn = () => {
    turns += 1;
    if (!isOver) setTimeout(turn);
  };
  setTimeout(turn);
  await work().finally(() => {
    isOver = true;
  });
  return turns;
}

describe('a long prompt', () => {
  it('gets the ids that it gets at one go, and others have their turns', async () => {
    const { language, close } = await start();
    const { tokenizer } = language;
    const text = words(20_000);
    const expected = tokenizer.encode(text);
    let found: [Int32Array, Int32Array] | undefined;
    const turns = await turnsDuring(async () => {
      found = [await tokenizer.encodeInTurns!(text), await language.encodeStartInTurns!(text)];
    });
    expect(found).toEqual([expected, language.encodeStart(text)]);
    expect(turns).toBeGreaterThan(3);
    await close();
  });

  it('is never tokenised at one go by the server, in any form of request', async () => {
    const { language: plain, close } = await start();
    const text = words(4000);
    const most = plain.tokenizer.encode(text).length - 1;
    const refuse = (encode: (given: string) => Int32Array) => (given: string) => {
      if (given.length > 4096) throw new Error('A long text was encoded at one go.');
      return encode(given);
    };
    const tokenizer = Object.create(plain.tokenizer, {
      encode: { value: refuse((given) => plain.tokenizer.encode(given)) },
      encodeInTurns: { value: (given: string) => plain.tokenizer.encodeInTurns!(given) },
      unknownCharacters: { value: () => [] },
    });
    const language: LanguageModel = { ...plain, tokenizer, encodeStart: refuse(plain.encodeStart) };
    const server = await start({ language, maximumPromptTokens: most });
    const model = 'tiny-llama3';
    const bodies: [string, object][] = [
      ['/v1/completions', { model, prompt: text }],
      ['/v1/chat/completions', { model, messages: [{ role: 'user', content: text }] }],
    ];
    for (const [path, body] of bodies) {
      const answer = await server.post(path, body);
      expect([answer.status, await answer.json()]).toMatchObject([
        400,
        { error: { code: 'context_length_exceeded' } },
      ]);
    }
    await server.close();
    await close();
  });
});
