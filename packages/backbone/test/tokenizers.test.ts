import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { PretrainedTokenizer } from '../src/index.js';

const golden = new URL('./golden/', import.meta.url);
const readJson = (path: string) => JSON.parse(readFileSync(new URL(path, golden), 'utf8'));
const { folders, cases } = readJson('tokenizers.json') as {
  folders: Record<string, string>;
  cases: Record<
    string,
    {
      text: string;
      ids: number[];
      idsNoSpecial: number[];
      decoded: string;
      decodedKeepSpecial: string | null;
    }[]
  >;
};
const load = (family: string) => new PretrainedTokenizer(readJson(`${folders[family]}/tokenizer.json`));

describe.each(Object.keys(folders))('the tokenizer of %s', (family) => {
  const tokenizer = load(family);

  it('streams the same text piece by piece', () => {
    for (const { idsNoSpecial, text } of cases[family]!) {
      const decoder = tokenizer.streamingDecoder();
      const streamed = idsNoSpecial.map((id) => decoder.push(id)).join('') + decoder.flush();
      expect(streamed, text).toBe(tokenizer.decode(idsNoSpecial));
    }
  });
});
