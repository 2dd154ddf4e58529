import { ByteTokenizer } from '@palimpsest/lm';
import { describe, expect, it } from 'vitest';
import { requireLength } from '../src/prompt-length.js';

/** A tokenizer that remembers how much it was given at once, and how often others had their turn between. */
function watched() {
  const tokenizer = new ByteTokenizer();
  const lengths: number[] = [];
  const encode = (text: string) => {
    lengths.push(text.length);
    return ByteTokenizer.prototype.encode.call(tokenizer, text);
  };
  return { language: { tokenizer: Object.assign(tokenizer, { encode }) }, lengths };
}

describe('the length of a prompt', () => {
  it('is counted in small pieces, with a turn for others behind each', async () => {
    const { language, lengths } = watched();
    let turns = 0;
    let isCounting = true;
    const others = () => {
      turns += 1;
      if (isCounting) setImmediate(others);
    };
    setImmediate(others);
    await requireLength(language, 100_000, 'word '.repeat(10_000));
    isCounting = false;
    expect(Math.max(...lengths)).toBeLessThanOrEqual(4096);
    expect(lengths.reduce((sum, length) => sum + length, 0)).toBe(50_000);
    expect(turns).toBeGreaterThanOrEqual(lengths.length - 1);
  });

  it('is counted no further than to the bound', async () => {
    const { language, lengths } = watched();
    await expect(requireLength(language, 10_000, 'word '.repeat(20_000))).rejects.toMatchObject({
      status: 400,
      code: 'context_length_exceeded',
      message:
        'The prompt has more than 10000 tokens, but this server reads at most 10000 tokens for a request.',
    });
    expect(lengths.length).toBe(3);
  });

  it('of a text with more characters than its tokens could have is not counted at all', async () => {
    const { language, lengths } = watched();
    await expect(requireLength(language, 10, 'a'.repeat(161))).rejects.toThrow(/is 161 characters long/);
    await requireLength(language, 10, 'a'.repeat(160));
    expect(lengths).toEqual([]);
  });
});
