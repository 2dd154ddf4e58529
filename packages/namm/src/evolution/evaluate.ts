import type { CacheSizes } from './cache-sizes.js';
import { Judge } from './judge.js';
import type { EvolvedPolicy } from './policy-file.js';
import { firstSamples } from './samples.js';
import type { EvolutionTask, Split } from './tasks/evolution-task.js';
import type { PopulationRunner } from './trial.js';

export interface EvaluateOptions {
  /** Over the model that the policy shall manage; its configuration has the policy's layout. */
  readonly runner: PopulationRunner;
  readonly policy: Pick<EvolvedPolicy, 'parameters' | 'statistics'>;
  readonly tasks: readonly EvolutionTask[];
  /** Default 'test': samples that nothing was evolved on or chosen by. */
  readonly split?: Split;
  /** Samples of each task. Default 32. */
  readonly samples?: number;
  readonly signal?: AbortSignal | undefined;
}

export interface NammEvaluation {
  /** Mean over tasks of the scores beside the full cache's: 1 is as good as forgetting nothing. */
  readonly fitness: number;
  readonly tasks: Readonly<
    Record<
      string,
      {
        /** Percents. */
        readonly score: number;
        /** Beside the full cache on the same samples. */
        readonly beside: number;
      }
    >
  >;
  /** Tokens per head. */
  readonly sizes: CacheSizes;
  /** Tokens of all prompts and answers, the full cache's included, per second. */
  readonly tokensPerSecond: number;
}

/** What a policy is worth on tasks, beside the full cache. */
export async function evaluateNamm(options: EvaluateOptions): Promise<NammEvaluation> {
  const { runner, policy, tasks, split = 'test', samples = 32, signal } = options;
  const set = firstSamples(tasks, split, samples);
  const start = performance.now();
  const { members } = await new Judge(runner).judge({
    vectors: [policy.parameters],
    samples: set,
    split,
    penalties: { sparsityCoeff: 0, sparsityOver: 'max', l2Coeff: 0 },
    useReference: true,
    statistics: policy.statistics,
    signal,
  });
  const seconds = (performance.now() - start) / 1000;
  const { fitness, scores, normalised, sizes } = members[0]!;
  const tokens = set.trials.reduce(
    (sum, { prompt, target, maxNewTokens = 0 }) => sum + prompt.length + (target?.length ?? maxNewTokens),
    0,
  );
  return {
    fitness,
    tasks: Object.fromEntries(
      Object.entries(scores).map(([task, score]) => [task, { score, beside: normalised[task]! }]),
    ),
    sizes,
    tokensPerSecond: (2 * tokens) / seconds,
  };
}
