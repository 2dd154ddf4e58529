import { InputError } from '@palimpsest/base';

/** The least and the largest value, of every parameter or of each. */
export interface ParameterBounds {
  readonly lower?: number | ArrayLike<number>;
  readonly upper?: number | ArrayLike<number>;
}

/** One pair for each parameter. */
export interface Bounds {
  readonly lower: Float64Array;
  readonly upper: Float64Array;
}

/** @throws InputError for other counts than n, or a lower bound above its upper one. */
export function boundsOf({ lower, upper }: ParameterBounds, n: number): Bounds {
  const bounds = {
    lower: spread(lower ?? Number.NEGATIVE_INFINITY, n),
    upper: spread(upper ?? Number.POSITIVE_INFINITY, n),
  };
  const broken = bounds.lower.findIndex((value, index) => !(value <= bounds.upper[index]!));
  if (broken >= 0) {
    throw new InputError(
      `Parameter ${broken} is bounded by ${bounds.lower[broken]} below and ${bounds.upper[broken]} above; nothing lies between.`,
    );
  }
  return bounds;
}

function spread(value: number | ArrayLike<number>, n: number): Float64Array {
  const values = typeof value === 'number' ? new Float64Array(n).fill(value) : Float64Array.from(value);
  if (values.length !== n) {
    throw new InputError(`Bounds of ${n} parameters are needed, but ${values.length} were given.`);
  }
  return values;
}

/** Moves values to the nearest place within their bounds. */
export function clip(values: Float64Array, { lower, upper }: Bounds): void {
  for (let i = 0; i < values.length; i++) {
    values[i] = Math.min(upper[i]!, Math.max(lower[i]!, values[i]!));
  }
}
