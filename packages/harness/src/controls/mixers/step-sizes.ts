import { type NDArray, ndarray, type Rng } from '@palimpsest/tensor-core';

/** Step sizes of fresh heads, log-uniform, and their rates of decay, uniform: those of Mamba-2 (Dao & Gu 2024). */
const STEPS = { least: 1e-3, most: 0.1 } as const;
const RATES = { least: 1, most: 16 } as const;

/**
 * What decides how fast heads forget, exp(-e^logRate softplus(x + stepBias)), at the start.
 * @returns two vectors of [heads]
 */
export function freshStepSizes(
  rng: Rng,
  heads: number,
): { readonly stepBias: NDArray; readonly logRate: NDArray } {
  const draw = (value: () => number) => ndarray(Array.from({ length: heads }, value), [heads]);
  return {
    // The inverse of softplus.
    stepBias: draw(() => Math.log(Math.expm1(STEPS.least * (STEPS.most / STEPS.least) ** rng.uniform()))),
    logRate: draw(() => Math.log(RATES.least + (RATES.most - RATES.least) * rng.uniform())),
  };
}
