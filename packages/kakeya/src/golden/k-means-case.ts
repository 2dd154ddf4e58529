import type { GoldenCase, GoldenHandler, GoldenOutputs } from '@palimpsest/base/golden';
import type { Matrix } from '../linalg/matrix.js';
import { sphericalKMeans } from '../linalg/spherical-kmeans.js';
import { firstRows, matrixOf, numberOf } from './inputs.js';

/** Spherical k-means in the variants that the case's outputs name; what a variant does stands in its name. */
export const kMeansCase: GoldenHandler = {
  system: 'kakeya',
  kind: 'spherical-kmeans',
  run: (testCase) => {
    const variants = new Set(testCase.names('out/').map((name) => name.split('/')[1]!));
    const outputs = [...variants].map((name) => {
      const { dirs, count, rounds } = variantOf(testCase, name);
      const { centers, labels } = sphericalKMeans(dirs, count, { maxIter: rounds });
      return {
        [`out/${name}/centers`]: () => centers.data,
        [`out/${name}/assignments`]: () => labels,
      };
    });
    return Object.assign({}, ...outputs) as GoldenOutputs;
  },
};

interface KMeansRun {
  readonly dirs: Matrix;
  readonly count: number;
  readonly rounds: number;
}

function variantOf(testCase: GoldenCase, name: string): KMeansRun {
  const count = numberOf(testCase, 'K');
  const rounds = numberOf(testCase, 'maxIter', 100);
  const generic = matrixOf(testCase, 'in/generic/dirs');
  const duplicates = /^duplicates(\d+)$/.exec(name);
  if (duplicates !== null) {
    const centers = `out/${name}/centers`;
    const own = testCase.has(centers) ? testCase.shape(centers)[0]! : count;
    return { dirs: matrixOf(testCase, 'in/duplicates/dirs'), count: own, rounds: Number(duplicates[1]) };
  }
  if (name === 'oneIteration') return { dirs: generic, count, rounds: 1 };
  if (name === 'kOne') return { dirs: generic, count: 1, rounds };
  if (name === 'fewerThanK') {
    const rows = testCase.shape(`out/${name}/assignments`)[0]!;
    return { dirs: firstRows(generic, rows), count: Math.max(count, rows + 1), rounds };
  }
  const own = `in/${name}/dirs`;
  return { dirs: testCase.has(own) ? matrixOf(testCase, own) : generic, count, rounds };
}
