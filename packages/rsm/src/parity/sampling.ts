import { type RsmSampling, rsmDistribution } from '../generation/sampling-filter.js';
import { GoldenCase } from './golden-case.js';
import type { ParityHandler } from './types.js';

/** Case 11: the filters on given logits, row r of the answer for row r of the logits. */
export const samplingHandler: ParityHandler = {
  system: 'rsm',
  kind: 'sampling',
  run: (testCase) => {
    const golden = new GoldenCase(testCase);
    const { data, shape } = golden.array('in/logits');
    const width = shape[1]!;
    return golden.member<RsmSampling[]>('settings', []).flatMap((setting, index) => {
      const name = `out/probs_${index}`;
      const rows = golden.tensor(name).shape[0]!;
      const probabilities = Array.from({ length: rows }, (_, row) => [
        ...rsmDistribution((data as Float32Array).subarray(row * width, (row + 1) * width), setting),
      ]);
      return [
        golden.compare(name, {
          data: Float32Array.from(probabilities.flat()),
          shape: [rows, width],
          dtype: 'float32',
        }),
      ];
    });
  },
};
