import { describe, expect, it } from 'vitest';
import { HuggingFaceTokenizer, restoreTokenizer } from '../../src/index.js';

// A byte-level BPE in the form of GPT-2's file: Ġ stands for the blank, é is the bytes Ã ©, € the bytes â Ĥ ¬.
const vocabulary = [
  'h',
  'i',
  'Ġ',
  't',
  'e',
  'Ã',
  '©',
  'â',
  'Ĥ',
  '¬',
  'hi',
  'Ġt',
  'Ġth',
  'Ġthe',
  '<|endoftext|>',
];
const tokenizerJson = {
  version: '1.0',
  added_tokens: [
    {
      id: 14,
      content: '<|endoftext|>',
      special: true,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
    },
  ],
  normalizer: null,
  pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true },
  post_processor: null,
  decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true },
  model: {
    type: 'BPE',
    vocab: Object.fromEntries(vocabulary.map((token, id) => [token, id])),
    merges: ['h i', 'Ġ t', 'Ġt h', 'Ġth e'],
  },
};
const config = { bos_token: '<|endoftext|>', eos_token: { content: '<|endoftext|>' } };

describe('HuggingFaceTokenizer', () => {
  const tokenizer = new HuggingFaceTokenizer(tokenizerJson, config);

  it('encodes and decodes by the file', () => {
    expect(tokenizer.vocabSize).toBe(15);
    expect([...tokenizer.encode('hi thé the')]).toEqual([10, 12, 5, 6, 13]);
    expect(tokenizer.decode([10, 12, 5, 6, 13, 14])).toBe('hi thé the');
    expect([tokenizer.startId, tokenizer.endId]).toEqual([14, 14]);
  });

  it('streams text with each character as its last byte arrives', () => {
    const decoder = tokenizer.streamingDecoder();
    const ids = [...tokenizer.encode('hi € the')];
    expect(ids).toEqual([10, 2, 7, 8, 9, 13]);
    expect(ids.map((id) => decoder.push(id))).toEqual(['hi', ' ', '', '', '€', ' the']);
    expect(decoder.flush()).toBe('');
    decoder.push(5);
    expect(decoder.flush()).toBe('\ufffd');
  });

  it('starts from the blank when the file names no token for it', () => {
    expect(new HuggingFaceTokenizer(tokenizerJson).startId).toBe(2);
  });

  it('is stored and restored', () => {
    const restored = restoreTokenizer(JSON.parse(JSON.stringify(tokenizer)));
    expect([...restored.encode('the hi')]).toEqual([...tokenizer.encode('the hi')]);
    expect(restored.endId).toBe(14);
  });

  it('refuses a file that is no tokenizer', () => {
    expect(() => new HuggingFaceTokenizer({ vocab: {} })).toThrow("'model'");
    for (const key of ['byte_fallback', 'ignore_merges', 'fuse_unk']) {
      const withFlag = (value: number | null) => ({
        ...tokenizerJson,
        model: { ...tokenizerJson.model, [key]: value },
      });
      expect(() => new HuggingFaceTokenizer(withFlag(1))).toThrow(
        `'model.${key}' is 1, expected true or false`,
      );
      expect(new HuggingFaceTokenizer(withFlag(null)).vocabSize).toBe(15);
    }
  });
});
