import type { GoldenHandler } from '@palimpsest/base/golden';
import { nextTokenDistribution, parseSampling } from '@palimpsest/lm';

interface SamplingSetting {
  readonly temp: number;
  readonly topK: number;
  readonly topP: number;
}

/** The smallest temperature of the reference, which divides by it. */
const COLDEST = 1e-6;

/** Probabilities that the next token is drawn from, under both top-p rules, and the greedy choice. */
export const samplingHandler: GoldenHandler = {
  system: 'osam',
  kind: 'sampling',
  run(testCase) {
    const distribution = (logits: string, options: Parameters<typeof parseSampling>[0]) =>
      nextTokenDistribution(testCase.numbers(logits), parseSampling(options));
    const settings = testCase.member<readonly SamplingSetting[]>('settings', []);
    const probabilities = settings.flatMap(({ temp, topK, topP }, index) => {
      const drawn = (topPRule: 'exclusive' | 'nucleus') => () =>
        distribution(`in/s${index}/logits`, { temperature: Math.max(COLDEST, temp), topK, topP, topPRule });
      return [
        [`out/s${index}/probs`, drawn('exclusive')] as const,
        [`out/s${index}/probsNucleus`, drawn('nucleus')] as const,
      ];
    });
    const greedy = () => [distribution('in/greedyLogits', { temperature: 0 }).indexOf(1)];
    return { ...Object.fromEntries(probabilities), 'out/greedy': greedy };
  },
};
