import type { GoldenHandler } from '@palimpsest/base/golden';
import { alignmentError, projectIntoPca, pushforward, solveAlignedTDir } from '../set/alignment.js';
import { matrixOf } from './inputs.js';

/** The four alignment functions, also of the zero target. */
export const alignmentCase: GoldenHandler = {
  system: 'kakeya',
  kind: 'alignment',
  run: (testCase) => {
    const axisInField = pushforward(testCase.numbers('in/axis'), matrixOf(testCase, 'in/baseToField'));
    const projected = projectIntoPca(axisInField, matrixOf(testCase, 'in/basis'));
    const solved = solveAlignedTDir(projected);
    const zero = new Float64Array(projected.length);
    const degenerate = solveAlignedTDir(zero);
    return {
      'out/pushforward': () => axisInField,
      'out/projected': () => projected,
      'out/tDir': () => solved.tDir,
      'out/degenerateTDir': () => degenerate.tDir,
      'out/errorOfOther': () => [alignmentError(testCase.numbers('in/otherUnit'), projected)],
      'out/errorOfTDir': () => [alignmentError(solved.tDir, projected)],
      'out/errorVsZeroTarget': () => [alignmentError(degenerate.tDir, zero)],
      'expected/solveError': () => solved.error,
      'expected/degenerateSolveError': () => degenerate.error,
    };
  },
};
