import { InputError } from '@palimpsest/tensor-core';
import { kebab } from './fields.js';

/** Options of one tokenizer, which the others do not read. */
export const TOKENIZER_OPTIONS: Readonly<Record<string, string>> = {
  tokenizerPath: 'file',
  bpeVocabulary: 'bpe',
  pieceVocabulary: 'sentence-piece',
  characterCoverage: 'sentence-piece',
};

/** @throws InputError for what was asked for and would change nothing. */
export function refuseUseless(
  { tokenizer }: Readonly<Record<string, unknown>>,
  asked: ReadonlySet<string>,
): void {
  if (asked.has('textPath') && asked.has('dataset')) {
    throw new InputError('Give one text, but both --text-path and --dataset were given.');
  }
  const [key, owner] =
    Object.entries(TOKENIZER_OPTIONS).find(([option, kind]) => asked.has(option) && kind !== tokenizer) ?? [];
  if (key === undefined) return;
  throw new InputError(
    `--${kebab(key)} is for --tokenizer ${owner}, but the tokenizer is '${String(tokenizer)}'; leave it out or choose that one.`,
  );
}
