import type { EvolutionTask, Split } from '../../../src/evolution/tasks/evolution-task.js';
import type {
  PopulationReply,
  PopulationRequest,
  PopulationRunner,
  TrialOutcome,
} from '../../../src/evolution/trial.js';
import type { FeatureStatistics } from '../../../src/features/statistics.js';

/** Trials whose outcome is a formula of the vector: the nearer to a place that the prompt names, the better. */
export class MadeUpRunner implements PopulationRunner {
  readonly requests: PopulationRequest[] = [];
  disposed = 0;
  /** Called before a request is answered. */
  before: (request: PopulationRequest) => Promise<void> | void = () => {};

  async run(request: PopulationRequest, signal?: AbortSignal): Promise<PopulationReply> {
    this.requests.push(request);
    await this.before(request);
    signal?.throwIfAborted();
    const vectors = request.vectors === 'full' ? [new Float32Array(1)] : request.vectors;
    const outcomes = vectors.map((vector) => request.trials.map(({ prompt }) => outcome(vector, prompt[0]!)));
    return { outcomes, ...(request.collect && { statistics: [moments(request.trials.length)] }) };
  }

  async dispose(): Promise<void> {
    this.disposed += 1;
  }
}

/** Of the five bins of a window of 8. */
const moments = (count: number): FeatureStatistics => ({
  mean: Float32Array.of(0.25, 0.5, 0.25, 0.5, 0.25),
  variance: Float32Array.of(1, 2, 1, 2, 1),
  count,
});

function outcome(vector: Float32Array, place: number): TrialOutcome {
  const distance = vector.reduce((sum, value, i) => sum + (value - Math.sin(place + i)) ** 2, 0);
  const kept = Math.max(1, Math.round(40 * Math.abs(vector[0]!)));
  return {
    logProb: -distance,
    kept: [[[kept, kept + 1]], [[kept, kept + 3]]],
    passing: [[[kept, kept + 1]], [[kept, kept + 3]]],
    lengths: [[kept, kept]],
  };
}

/** Samples that name places near one. */
export function madeUpTask(name: string, place: number, size = 20): EvolutionTask {
  const offset: Record<Split, number> = { train: 0, validation: 1000, test: 2000 };
  return {
    name,
    size,
    sample: (split, index) => ({
      trial: { prompt: Int32Array.of(place, index + offset[split]), target: Int32Array.of(1) },
      score: ({ logProb = Number.NEGATIVE_INFINITY }) => Math.exp(logProb),
    }),
  };
}
