import type { GoldenHandler } from '@palimpsest/base/golden';
import { nextTokenDistribution, parseSampling, type Sampling } from '@palimpsest/lm';

/** How a token is drawn, in the reference's terms. */
export interface ReferenceSampling {
  readonly temperature?: number;
  readonly topK?: number;
  readonly topP?: number;
}

/** The reference's rules: top-k keeps all ties at its border, top-p what is not preceded by more than p; p = 0 keeps one. */
export function referenceSampling({ topP, ...setting }: ReferenceSampling): Sampling {
  const rules = { topKRule: 'ties', topPRule: 'inclusive' } as const;
  return parseSampling(
    topP === 0 ? { ...setting, temperature: 0 } : { ...setting, ...(topP && { topP }), ...rules },
  );
}

/** Case 11: the filters on given logits, row r of the answer for row r of the logits. */
export const samplingHandler: GoldenHandler = {
  system: 'rsm',
  kind: 'sampling',
  run: (testCase) => {
    const { data, shape } = testCase.array('in/logits');
    const width = shape[1]!;
    const outputs = testCase.member<ReferenceSampling[]>('settings', []).map((setting, index) => {
      const name = `out/probs_${index}`;
      const rows = Array.from({ length: testCase.shape(name)[0]! }, (_, row) => [
        ...nextTokenDistribution(data.slice(row * width, (row + 1) * width), referenceSampling(setting)),
      ]);
      return [name, rows.flat()] as const;
    });
    return Object.fromEntries(outputs);
  },
};
