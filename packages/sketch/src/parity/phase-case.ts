import { type ComplexVector, phaseFeatures, relativeScore } from '../phase-features.js';
import { CaseReader } from './case-reader.js';
import type { ParityHandler } from './types.js';

/** One number, or one per channel. */
type Phase = number | readonly number[];

interface PhaseConfig {
  readonly thetaQ: Phase;
  readonly thetaK: Phase;
  readonly omega: Phase;
}

/** Phase features of queries and keys `[..., time, d]`, and their relative scores `[..., time, time]`. */
export const phaseCase: ParityHandler = {
  system: 'osam',
  kind: 'phase',
  run: (testCase) => {
    const reader = new CaseReader(testCase);
    const { thetaQ, thetaK, omega } = reader.config<PhaseConfig>();
    const queries = features(reader, 'q', thetaQ, omega, 'query');
    const keys = features(reader, 'k', thetaK, omega, 'key');
    reader.compare('out/score', scores(reader, queries, keys));
    return reader.outputs;
  },
};

function features(
  reader: CaseReader,
  name: 'q' | 'k',
  theta: Phase,
  omega: Phase,
  role: 'query' | 'key',
): ComplexVector {
  const { shape, data } = reader.tensor(`in/${name}`);
  const position = reader.tensor('in/pos').data;
  const parts = phaseFeatures(data, { theta, omega, position, role, dim: shape.at(-1)! });
  reader.compare(`out/${name}Re`, parts.re);
  reader.compare(`out/${name}Im`, parts.im);
  return parts;
}

/** Scores of every query of a batch row with every key of it. */
function scores(reader: CaseReader, queries: ComplexVector, keys: ComplexVector): number[] {
  const [dim, timeQ, timeK] = [
    reader.tensor('in/q').shape.at(-1)!,
    reader.tensor('in/q').shape.at(-2) ?? 1,
    reader.tensor('in/k').shape.at(-2) ?? 1,
  ];
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
