import { InputError } from '@palimpsest/tensor-core';

/** One of several parts of a sweep: `index` counts from 1. */
export interface Shard {
  readonly index: number;
  readonly count: number;
}

/** Reads `i/n`. @throws InputError when it is not `1/n` to `n/n`. */
export function parseShard(text: string): Shard {
  const [index, count] = (/^(\d+)\/(\d+)$/.exec(text) ?? []).slice(1).map(Number);
  if (index !== undefined && count !== undefined && index >= 1 && index <= count) return { index, count };
  throw new InputError(`A shard is written i/n with i from 1 to n, as 2/8, but '${text}' was given.`);
}

/** Whether a cell belongs to a shard. Only the key decides, so that shards need not know of each other. */
export function isInShard(key: string, { index, count }: Shard): boolean {
  // 52 bits of the hash are exact in a double.
  return Number.parseInt(key.slice(0, 13), 16) % count === index - 1;
}
