import { InputError } from '@palimpsest/tensor-core';

/** A sample: which source, and its number there. */
export interface Draw {
  readonly source: number;
  readonly index: number;
}

/** @throws InputError for proportions and lengths that do not fit. */
function check(proportions: readonly number[], lengths: readonly number[]): void {
  const areCounts = [...proportions, ...lengths].every((value) => Number.isInteger(value) && value >= 0);
  if (proportions.length === lengths.length && areCounts && proportions.some((share) => share > 0)) return;
  throw new InputError(
    `Sources are mixed by one whole proportion of 0 or more for each, at least one of them positive, but got ${proportions.join(', ')} for ${lengths.length} sources.`,
  );
}

/**
 * Draws `proportions[k]` samples from source k in turn. Sources whose proportion is 0 or that are used up are passed over; the
 * epoch ends when all others are used up.
 * @throws InputError for proportions and lengths that do not fit.
 */
export function* mixSources(proportions: readonly number[], lengths: readonly number[]): Generator<Draw> {
  check(proportions, lengths);
  const next = lengths.map(() => 0);
  const isOpen = (source: number) => proportions[source]! > 0 && next[source]! < lengths[source]!;
  while (lengths.some((_length, source) => isOpen(source))) {
    for (let source = 0; source < lengths.length; source++) {
      for (let taken = 0; taken < proportions[source]! && isOpen(source); taken++) {
        yield { source, index: next[source]! };
        next[source]! += 1;
      }
    }
  }
}

/**
 * The published order: at least one sample at every visit, also from sources of proportion 0 and from used-up ones, which
 * start again; the epoch ends when every source of a positive proportion has been found at its end.
 */
export function* mixSourcesAsPublished(
  proportions: readonly number[],
  lengths: readonly number[],
): Generator<Draw> {
  check(proportions, lengths);
  const next = lengths.map(() => 0);
  const isUsedUp = lengths.map(() => false);
  const isDone = () => proportions.every((share, source) => share === 0 || isUsedUp[source]);
  for (let source = 0; !isDone(); source = (source + 1) % lengths.length) {
    let taken = 0;
    do {
      if (next[source]! >= lengths[source]!) {
        isUsedUp[source] = true;
        next[source] = 0;
        break;
      }
      yield { source, index: next[source]! };
      next[source]! += 1;
      taken += 1;
    } while (taken < proportions[source]! && !isUsedUp[source]);
  }
}
