import { InputError } from '@palimpsest/tensor-core';
import { countCharacters, type Tokenizer } from '../tokenizers/tokenizer.js';

/** A text in documents. The text is the documents one after the other, with nothing between them. */
export interface Corpus {
  readonly name: string;
  readonly documents: readonly string[];
}

export interface CorpusSplit {
  readonly train: Corpus;
  readonly validation: Corpus;
}

/** The whole text of a corpus. */
export function corpusText(corpus: Corpus): string {
  return corpus.documents.join('');
}

/** UTF-16 offset of the character with a given number. */
function offsetOfCharacter(text: string, number: number): number {
  let offset = 0;
  for (let i = 0; i < number; i++) offset += text.codePointAt(offset)! > 0xffff ? 2 : 1;
  return offset;
}

/**
 * Cuts a corpus in two at a character: the first part trains, the rest validates, and no character is in both. A document
 * on the border is cut.
 * @param validationFraction share of the characters for validation, 0 to below 1. Default 0.1.
 * @throws InputError when a part would be empty.
 */
export function splitCorpus(corpus: Corpus, validationFraction = 0.1): CorpusSplit {
  if (!(validationFraction >= 0 && validationFraction < 1)) {
    throw new InputError(
      `The share of validation text is a number from 0 to below 1, but ${validationFraction} was given.`,
    );
  }
  const lengths = corpus.documents.map((document) => countCharacters(document));
  const total = lengths.reduce((sum, length) => sum + length, 0);
  const border = Math.floor(total * (1 - validationFraction));
  if (border === 0 || (border === total && validationFraction > 0)) {
    throw new InputError(
      `The corpus '${corpus.name}' has ${total} characters, too few to keep ${validationFraction} of it for validation.`,
    );
  }
  const train: string[] = [];
  const validation: string[] = [];
  let start = 0;
  corpus.documents.forEach((document, index) => {
    const cut = Math.min(Math.max(border - start, 0), lengths[index]!);
    const offset = offsetOfCharacter(document, cut);
    if (offset > 0) train.push(document.slice(0, offset));
    if (offset < document.length) validation.push(document.slice(offset));
    start += lengths[index]!;
  });
  return {
    train: { name: `${corpus.name}, training part`, documents: train },
    validation: { name: `${corpus.name}, validation part`, documents: validation },
  };
}

/** A corpus as ids. */
export interface EncodedCorpus {
  /** All documents one after the other. */
  readonly ids: Int32Array;
  /** Where each document begins in `ids`. */
  readonly documentStarts: readonly number[];
}

/**
 * Encodes each document by itself; when there are several and the tokenizer has an end token, it closes each of them.
 */
export function encodeCorpus(tokenizer: Tokenizer, corpus: Corpus): EncodedCorpus {
  const { endId } = tokenizer;
  const closing =
    endId !== undefined && corpus.documents.length > 1 ? Int32Array.of(endId) : new Int32Array(0);
  const pieces = corpus.documents.flatMap((document) => [tokenizer.encode(document), closing]);
  const ids = new Int32Array(pieces.reduce((total, piece) => total + piece.length, 0));
  const documentStarts: number[] = [];
  let at = 0;
  pieces.forEach((piece, index) => {
    if (index % 2 === 0) documentStarts.push(at);
    ids.set(piece, at);
    at += piece.length;
  });
  return { ids, documentStarts };
}
