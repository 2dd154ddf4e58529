import { type ComplexVector, phaseFeatures, relativeScore } from '../phase-features.js';
import { CaseReader, concatenate, rowsOf } from './case-reader.js';
import type { ParityHandler } from './types.js';

/** Phase features of queries and keys `[batch, time, d]`, and their relative scores. */
export const phaseCase: ParityHandler = {
  system: 'osam',
  kind: 'phase',
  run: (testCase) => {
    const reader = new CaseReader(testCase);
    const { thetaQ, thetaK, omega } = reader.config<{ thetaQ: number; thetaK: number; omega: number }>();
    const positions = reader.tensor('in/pos').data;
    const time = positions.length;
    const turn = (name: string, theta: number, role: 'query' | 'key'): ComplexVector[] =>
      rowsOf(reader.tensor(name)).map((row, i) =>
        phaseFeatures(row, { theta, omega, position: positions[i % time]!, role }),
      );
    const queries = turn('in/q', thetaQ, 'query');
    const keys = turn('in/k', thetaK, 'key');
    reader.compare('out/qRe', concatenate(queries.map(({ re }) => re)));
    reader.compare('out/qIm', concatenate(queries.map(({ im }) => im)));
    reader.compare('out/kRe', concatenate(keys.map(({ re }) => re)));
    reader.compare('out/kIm', concatenate(keys.map(({ im }) => im)));
    const scores = queries.flatMap((query, i) => {
      const batch = Math.floor(i / time);
      return keys.slice(batch * time, (batch + 1) * time).map((key) => relativeScore(query, key));
    });
    reader.compare('out/score', scores);
    return reader.outputs;
  },
};
