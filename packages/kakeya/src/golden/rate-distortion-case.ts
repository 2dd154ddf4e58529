import type { GoldenCase, GoldenHandler, GoldenOutputs } from '@palimpsest/base/golden';
import { computePca } from '../linalg/pca.js';
import { type CoderSpec, coderSpecs, rateDistortion } from '../measure/rate-distortion.js';
import { matrixOf, numberOf, storedSkeleton } from './inputs.js';

interface Row {
  readonly coder: string;
  readonly bytesPerVec: number;
  readonly K?: number;
}

/** Every listed coder, trained here; the parity record also on the stored skeleton. */
export const rateDistortionCase: GoldenHandler = {
  system: 'kakeya',
  kind: 'rate-distortion',
  given: ['coder', 'bytesPerVec', 'K'].map((member) => `expected/rows/*/${member}`),
  run: (testCase) => {
    const { rows } = testCase.member('expected', { rows: [] as Row[] });
    const [train, test] = [matrixOf(testCase, 'in/train'), matrixOf(testCase, 'in/test')];
    const axis = testCase.numbers('in/axisInField');
    const specs = rows.map((row) => specOf(testCase, row));
    const measured = rateDistortion(train, test, specs, { axis });
    const outputs: Record<string, GoldenOutputs[string]> = {
      'expected/dEff': () => computePca(train, numberOf(testCase, 'varianceRatio', 0.99)).dEff,
    };
    rows.forEach((row, i) => {
      const { median, p95, bytesPerVec } = measured[i]!;
      const name = `expected/rows/${i}`;
      outputs[`${name}${isParity(row) ? '@parity' : ''}`] = { median, p95, bytesPerVec };
      if (!isParity(row) || !testCase.has('state/parity/basis')) return;
      const skeleton = storedSkeleton(testCase, 'state/parity/', numberOf(testCase, 'kakeyaDRes', 5));
      const [stored] = rateDistortion(train, test, [coderSpecs.sparse({ encoder: 'parity', skeleton })], {
        axis,
      });
      outputs[`${name}@stored`] = { median: stored!.median, p95: stored!.p95 };
    });
    return outputs;
  },
};

const isParity = ({ coder }: Row): boolean => coder.includes('parity');

function specOf(testCase: GoldenCase, row: Row): CoderSpec {
  if (row.coder === 'pca-int8') return coderSpecs.pcaInt8(row.bytesPerVec);
  if (row.coder === 'pq') return coderSpecs.productQuantiser(row.bytesPerVec);
  if (row.coder === 'transform') return coderSpecs.transform(row.bytesPerVec, row.K ?? 64);
  return coderSpecs.sparse({
    encoder: row.coder.includes('refit') ? 'refit' : 'parity',
    kakeyaK: numberOf(testCase, 'kakeyaK', 16),
    kakeyaDRes: numberOf(testCase, 'kakeyaDRes', 5),
    kakeyaVarianceRatio: numberOf(testCase, 'varianceRatio', 0.99),
  });
}
