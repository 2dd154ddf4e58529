export type { RandomSource } from './random-source.js';
export * from './sequence-model.js';
export * from './tokenizers/bpe-tokenizer.js';
export { ByteTokenizer } from './tokenizers/byte-tokenizer.js';
export { CharacterTokenizer } from './tokenizers/character-tokenizer.js';
export { HuggingFaceTokenizer } from './tokenizers/hugging-face-tokenizer.js';
export { restoreTokenizer } from './tokenizers/restore-tokenizer.js';
export * from './tokenizers/tokenizer.js';
export type { Merge } from './tokenizers/train-merges.js';
