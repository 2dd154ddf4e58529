import type { GoldenHandler } from '@palimpsest/base/golden';
import { type FitnessOptions, fitnessOf, type TaskScores } from '../evolution/fitness.js';
import { bestScore, type TextMetricName } from '../evolution/tasks/text-metrics.js';
import { type FeatureStatistics, mergeStatistics } from '../features/statistics.js';

interface TextCase {
  readonly metric: TextMetricName;
  readonly prediction: string;
  readonly groundTruth: string;
  readonly allClasses?: readonly string[];
}

interface AggregateCase {
  readonly scores: TaskScores;
  readonly useReference: boolean;
  readonly sampleIndices: FitnessOptions['samples'];
}

type Moments = readonly [number, number, number];

const statistics = ([mean, variance, count]: Moments): FeatureStatistics => ({
  mean: Float32Array.of(mean),
  variance: Float32Array.of(variance),
  count,
});

/** Metrics of answers, fitness over tasks, and the merging of statistics. */
export const metricsCase: GoldenHandler = {
  system: 'namm',
  kind: 'metrics',
  expects: [
    'textMetrics/*/score',
    'aggregate/*/aggregate',
    'aggregate/*/normalised',
    'mergeStatistics/*/result',
  ],
  run(testCase) {
    const texts = testCase.member<readonly TextCase[]>('textMetrics', []);
    const reference = testCase.member<FitnessOptions['reference']>('perRequestReference', {});
    const aggregates = testCase.member<readonly AggregateCase[]>('aggregate', []);
    const merges = testCase.member<readonly { a: Moments; b: Moments }[]>('mergeStatistics', []);
    return Object.fromEntries([
      ...texts.map(({ metric, prediction, groundTruth, allClasses }, i) => [
        `textMetrics/${i}/score`,
        bestScore(metric, prediction, [groundTruth], { allClasses, parity: true }),
      ]),
      ...aggregates.flatMap(({ scores, useReference, sampleIndices }, i) => {
        const options = {
          reference: useReference ? reference : undefined,
          samples: sampleIndices,
          parity: true,
        };
        const { fitness, normalised } = fitnessOf(scores, options);
        return [
          [`aggregate/${i}/aggregate`, fitness],
          [`aggregate/${i}/normalised`, normalised],
        ];
      }),
      ...merges.map(({ a, b }, i) => {
        const { mean, variance, count } = mergeStatistics(statistics(a), statistics(b));
        return [`mergeStatistics/${i}/result`, [mean[0]!, variance[0]!, count]];
      }),
    ]);
  },
};
