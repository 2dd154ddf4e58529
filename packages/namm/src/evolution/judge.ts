import { type CacheSizes, cacheSizes, sparsityLoss } from './cache-sizes.js';
import { fitnessOf, type ReferenceScores, type TaskScores } from './fitness.js';
import type { SampleSet } from './samples.js';
import type { Split } from './tasks/evolution-task.js';
import type { PopulationRequest, PopulationRunner, Statistics, TrialOutcome } from './trial.js';

/** What is taken off a score. */
export interface Penalties {
  readonly sparsityCoeff: number;
  readonly sparsityOver: 'max' | 'mean';
  readonly l2Coeff: number;
}

/** A member after its trials. */
export interface Judgement {
  /** The score less the penalties. */
  readonly fitness: number;
  /** Percents by task. */
  readonly scores: TaskScores;
  /** Scores beside the full cache's, by task. */
  readonly normalised: TaskScores;
  /** Tokens kept after an update, mean over updates and layers. */
  readonly sparsity: number;
  readonly sizes: CacheSizes;
}

export interface JudgeOptions {
  readonly vectors: readonly Float32Array[];
  readonly samples: SampleSet;
  readonly split: Split;
  readonly penalties: Penalties;
  readonly useReference: boolean;
  readonly statistics?: Statistics | undefined;
  readonly collect?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Judges members by tasks, and remembers what the full cache reaches on each sample. */
export class Judge {
  readonly #runner: PopulationRunner;
  /** Percents by split, task and sample. */
  readonly #reference = new Map<string, number>();

  constructor(runner: PopulationRunner) {
    this.#runner = runner;
  }

  async judge(options: JudgeOptions): Promise<{ members: Judgement[]; statistics?: Statistics | undefined }> {
    const { vectors, samples, split, useReference, statistics, collect, signal } = options;
    const reference = useReference ? await this.#referenceOf(samples, split, signal) : undefined;
    const request: PopulationRequest = {
      vectors,
      trials: samples.trials,
      statistics,
      collect,
    };
    const reply = await this.#runner.run(request, signal);
    const members = reply.outcomes.map((outcomes, member) =>
      judgement(outcomes, vectors[member]!, options, reference),
    );
    return { members, statistics: reply.statistics };
  }

  /** Percents of the full cache on these samples; those that nobody asked for before are run. */
  async #referenceOf(set: SampleSet, split: Split, signal?: AbortSignal): Promise<ReferenceScores> {
    const keyOf = ({ task, index }: SampleSet['samples'][number]) => `${split}/${task}/${index}`;
    const missing = set.samples.filter((sample) => !this.#reference.has(keyOf(sample)));
    if (missing.length > 0) {
      const trials = missing.map(({ sample }) => sample.trial);
      const { outcomes } = await this.#runner.run({ vectors: 'full', trials }, signal);
      missing.forEach((entry, i) => {
        this.#reference.set(keyOf(entry), 100 * entry.sample.score(outcomes[0]![i]!));
      });
    }
    const scores: Record<string, Record<string, number>> = {};
    for (const entry of set.samples) {
      scores[entry.task] ??= {};
      scores[entry.task]![entry.index] = this.#reference.get(keyOf(entry))!;
    }
    return scores;
  }
}

function judgement(
  outcomes: readonly TrialOutcome[],
  vector: Float32Array,
  { samples, penalties }: JudgeOptions,
  reference: ReferenceScores | undefined,
): Judgement {
  const totals: Record<string, { sum: number; count: number }> = {};
  samples.samples.forEach(({ task, sample }, i) => {
    const total = totals[task] ?? { sum: 0, count: 0 };
    totals[task] = total;
    total.sum += 100 * sample.score(outcomes[i]!);
    total.count += 1;
  });
  const scores = Object.fromEntries(
    Object.entries(totals).map(([task, { sum, count }]) => [task, sum / count]),
  );
  // Scores of this program are percents whatever the task is called.
  const { fitness, normalised } = fitnessOf(scores, { reference, percents: true });
  const sparsity = sparsityLoss(outcomes, penalties.sparsityOver);
  const l2 = vector.reduce((sum, value) => sum + value * value, 0) / vector.length;
  return {
    fitness: fitness - penalties.sparsityCoeff * sparsity - penalties.l2Coeff * l2,
    scores,
    normalised,
    sparsity,
    sizes: cacheSizes(outcomes),
  };
}
