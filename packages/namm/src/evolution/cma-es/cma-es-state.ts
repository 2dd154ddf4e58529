import { InputError, type RngState } from '@palimpsest/base';
import { covarianceLength } from './covariance.js';
import type { CovarianceKind } from './strategy.js';

/** A search between two calls, complete: what continues from it gives the same numbers to the bit. */
export interface CmaEsState {
  /** Generations told. */
  readonly generation: number;
  readonly sigma: number;
  readonly mean: Float64Array;
  /** `[n, n]`, `[n]` or empty, as the covariance is full, diagonal or isotropic. */
  readonly covariance: Float64Array;
  readonly pathC: Float64Array;
  readonly pathSigma: Float64Array;
  readonly bestFitness: number;
  /** Empty before the first generation was told. */
  readonly bestMember: Float64Array;
  readonly rng: RngState;
  /** Deviations y `[popSize, n]` of a generation that was asked for and not yet told; otherwise empty. */
  readonly deviations: Float64Array;
}

/** @throws InputError for a state of other sizes, or with numbers that no search comes to. */
export function checkState(state: CmaEsState, n: number, popSize: number, kind: CovarianceKind): void {
  const lengths: [string, Float64Array, number[]][] = [
    ['mean', state.mean, [n]],
    ['covariance', state.covariance, [covarianceLength(kind, n)]],
    ['path of the covariance', state.pathC, [n]],
    ['path of the step size', state.pathSigma, [n]],
    ['best member', state.bestMember, [0, n]],
    ['population', state.deviations, [0, popSize * n]],
  ];
  for (const [name, values, allowed] of lengths) {
    if (allowed.includes(values.length)) {
      // What is squared overflows long before the numbers do.
      const wrong = values.find((value) => !Number.isFinite(value * value));
      if (wrong === undefined) continue;
      throw new InputError(`The saved search is damaged: its ${name} has ${wrong}, which is out of range.`);
    }
    throw new InputError(
      `The saved search has a ${name} of ${values.length} numbers where ${allowed.at(-1)} were expected: ${n} parameters, ${popSize} members, ${kind} covariance; continue it with the options that it was started with.`,
    );
  }
  const step = kind === 'full' ? n + 1 : 1;
  for (let at = 0; at < state.covariance.length; at += step) {
    if (state.covariance[at]! > 0) continue;
    throw new InputError(
      `The saved search is damaged: its covariance has a variance of ${state.covariance[at]}, which is above 0.`,
    );
  }
}
