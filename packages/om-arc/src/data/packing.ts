import { InputError } from '@palimpsest/tensor-core';

export interface PackingOptions {
  /** Ids of a sample, leading pads included. */
  readonly sampleLength: number;
  /** Pad ids in front of every sample: the context of its first n-grams. */
  readonly numPad: number;
  readonly padId: number;
  /** Ids around every document. Default none */
  readonly prefix?: readonly number[];
  readonly suffix?: readonly number[];
  /** `reference` never reads the second file, as published. Default `fixed` */
  readonly variant?: 'fixed' | 'reference';
}

/**
 * Documents one behind the other, cut into samples of pads and consecutive ids. What is left over at the end is dropped.
 * @param files each a list of documents as ids
 * @throws InputError when pads leave no room for ids.
 */
export function* packDocuments(
  files: Iterable<Iterable<readonly number[]>>,
  options: PackingOptions,
): Generator<number[]> {
  const { sampleLength, numPad, padId, prefix = [], suffix = [], variant = 'fixed' } = options;
  const room = sampleLength - numPad;
  if (!(room >= 1)) {
    throw new InputError(
      `A sample of ${sampleLength} ids with ${numPad} pads has no room for text; choose a longer sample.`,
    );
  }
  const pads = new Array<number>(numPad).fill(padId);
  let buffer: number[] = [];
  let index = 0;
  for (const documents of files) {
    const isSkipped = variant === 'reference' && index === 1;
    index += 1;
    if (isSkipped) continue;
    for (const document of documents) {
      for (const part of [prefix, document, suffix]) for (const id of part) buffer.push(id);
      let start = 0;
      while (buffer.length - start >= room) {
        yield [...pads, ...buffer.slice(start, start + room)];
        start += room;
      }
      if (start > 0) buffer = buffer.slice(start);
    }
  }
}
