import type { GoldenCase, GoldenHandler } from '@palimpsest/base/golden';
import { type ComplexVector, phaseFeatures, relativeScore } from '../phase-features.js';

/** One number, or one per channel. */
type Phase = number | readonly number[];

interface PhaseConfig {
  readonly thetaQ: Phase;
  readonly thetaK: Phase;
  readonly omega: Phase;
}

/** Phase features of queries and keys `[..., time, d]`, and their relative scores `[..., time, time]`. */
export const phaseCase: GoldenHandler = {
  system: 'osam',
  kind: 'phase',
  run: (testCase) => {
    const { thetaQ, thetaK, omega } = testCase.config as unknown as PhaseConfig;
    const features = (name: 'q' | 'k', theta: Phase, role: 'query' | 'key') => {
      const { shape, data } = testCase.tensor(`in/${name}`);
      const position = testCase.tensor('in/pos').data;
      return phaseFeatures(data, { theta, omega, position, role, dim: shape.at(-1)! });
    };
    const queries = features('q', thetaQ, 'query');
    const keys = features('k', thetaK, 'key');
    return {
      'out/qRe': () => queries.re,
      'out/qIm': () => queries.im,
      'out/kRe': () => keys.re,
      'out/kIm': () => keys.im,
      'out/score': () => scores(testCase, queries, keys),
    };
  },
};

/** Scores of every query of a batch row with every key of it. */
function scores(testCase: GoldenCase, queries: ComplexVector, keys: ComplexVector): number[] {
  const [shapeQ, shapeK] = [testCase.shape('in/q'), testCase.shape('in/k')];
  const [dim, timeQ, timeK] = [shapeQ.at(-1)!, shapeQ.at(-2) ?? 1, shapeK.at(-2) ?? 1];
  return rowsOf(queries, dim).flatMap((query, row) => {
    const batch = Math.floor(row / timeQ);
    return rowsOf(keys, dim)
      .slice(batch * timeK, (batch + 1) * timeK)
      .map((key) => relativeScore(query, key));
  });
}

function rowsOf({ re, im }: ComplexVector, dim: number): ComplexVector[] {
  return Array.from({ length: re.length / dim }, (_, row) => ({
    re: re.subarray(row * dim, (row + 1) * dim),
    im: im.subarray(row * dim, (row + 1) * dim),
  }));
}
