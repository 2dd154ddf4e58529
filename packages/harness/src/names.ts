import { InputError } from '@palimpsest/tensor-core';
import { closest, distance } from 'fastest-levenshtein';

/** The name that was probably meant; undefined when nothing is near. */
export function nearestName(given: string, names: readonly string[]): string | undefined {
  if (names.length === 0) return undefined;
  const nearest = closest(given, names);
  return distance(given, nearest) <= Math.max(2, given.length / 3) ? nearest : undefined;
}

/** An error that says in one sentence which names there are, the nearest one first. */
export function unknownName(kind: string, given: string, names: readonly string[]): InputError {
  const nearest = nearestName(given, names);
  const hint = nearest === undefined ? '' : ` (did you mean '${nearest}'?)`;
  return new InputError(
    `There is no ${kind} '${given}'${hint}; there ${names.length === 1 ? 'is' : 'are'} ${names.join(', ') || 'none'}.`,
  );
}

/** Finds by name. @throws InputError listing the names, the nearest one first. */
export function byName<T extends { readonly name: string }>(
  kind: string,
  all: readonly T[],
  name: string,
): T {
  const found = all.find((candidate) => candidate.name === name);
  if (found) return found;
  throw unknownName(
    kind,
    name,
    all.map((candidate) => candidate.name),
  );
}
