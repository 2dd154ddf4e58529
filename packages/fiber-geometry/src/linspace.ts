import { InputError } from '@palimpsest/tensor-core';

/** Segments of a path with `points` points. @throws InputError below two points. */
export function segmentCount(points: number): number {
  if (Number.isInteger(points) && points >= 2) return points - 1;
  throw new InputError(`A path needs at least 2 points, but ${points} were asked for.`);
}
