import { InputError } from '@palimpsest/base';

/** Learning rate of a step, for use on the host; the first step is 0. */
export type Schedule = (step: number) => number;

/** The same rate at every step. */
export function constantRate(rate: number): Schedule {
  return () => rate;
}

export interface WarmupCosineOptions {
  /** Rate at the end of the warm-up. */
  readonly peak: number;
  /** Steps of linear rise from peak / warmupSteps. Default 0. */
  readonly warmupSteps?: number;
  /** Step at which the cosine reaches the floor; later steps stay there. */
  readonly totalSteps: number;
  /** Lowest rate. Default 0.1 · peak. */
  readonly floor?: number;
  /** The first step has rate 0, and the peak comes one step later. Default false. */
  readonly fromZero?: boolean;
}

/**
 * Linear warm-up, then half a cosine down to the floor.
 * @throws InputError when the warm-up is longer than the whole schedule.
 */
export function warmupCosine({
  peak,
  warmupSteps = 0,
  totalSteps,
  floor = 0.1 * peak,
  fromZero = false,
}: WarmupCosineOptions): Schedule {
  if (warmupSteps > totalSteps) {
    throw new InputError(`A warm-up of ${warmupSteps} steps does not fit into ${totalSteps} steps.`);
  }
  return (step) => {
    if (step < warmupSteps) return (peak * (step + (fromZero ? 0 : 1))) / warmupSteps;
    const progress = Math.min(1, (step - warmupSteps) / Math.max(1, totalSteps - warmupSteps));
    return floor + (peak - floor) * 0.5 * (1 + Math.cos(Math.PI * progress));
  };
}
