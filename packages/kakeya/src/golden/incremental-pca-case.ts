import type { GoldenCase, GoldenHandler, GoldenOutputs } from '@palimpsest/base/golden';
import { IncrementalPca } from '../linalg/incremental-pca.js';
import { centred, dot, type FloatArray, matrix, timesTransposed, timesVector } from '../linalg/matrix.js';
import { computePca } from '../linalg/pca.js';
import { ridgeMap } from '../linalg/ridge-map.js';
import { axisFidelity, projectIntoPca, pushforward, solveAlignedTDir } from '../set/alignment.js';
import { firstRows, matrixOf, numberOf } from './inputs.js';

/** Incremental PCA after every batch; ridge map, fidelity and correlation. */
export const incrementalPcaCase: GoldenHandler = {
  system: 'kakeya',
  kind: 'incremental-pca-ridge',
  run: (testCase) => ({ ...batchOutputs(testCase), ...ridgeOutputs(testCase) }),
};

function batchOutputs(testCase: GoldenCase): GoldenOutputs {
  if (!testCase.has('in/vecs')) return {};
  const vecs = matrixOf(testCase, 'in/vecs');
  const pca = new IncrementalPca();
  const outputs: Record<string, FloatArray> = {};
  let at = 0;
  for (const size of (testCase.config.batches ?? []) as number[]) {
    pca.update(matrix(size, vecs.cols, vecs.data.slice(at * vecs.cols, (at + size) * vecs.cols)));
    at += size;
    const prefix = `out/after${at}/`;
    for (const name of testCase.names(prefix)) {
      if (name === `${prefix}mean`) outputs[name] = pca.mean;
      else if (name === `${prefix}singularValues`) outputs[name] = pca.singularValues;
      else outputs[name] = firstRows(pca.basis, testCase.shape(name)[0]!).data;
    }
  }
  return outputs;
}

function ridgeOutputs(testCase: GoldenCase): GoldenOutputs {
  if (!testCase.has('in/baseCoords')) return {};
  const [z, x] = [matrixOf(testCase, 'in/baseCoords'), matrixOf(testCase, 'in/fieldVecs')];
  const axis = testCase.numbers('in/axis');
  const map = ridgeMap(z, x, numberOf(testCase, 'ridgeRelative', 1e-3));
  const axisInField = pushforward(axis, map);
  const { basis, mean } = computePca(x, 1);
  const leading = (count: number) => firstRows(basis, count);
  const correlationOfAlpha = () => {
    const kept = leading(numberOf(testCase, 'dEffForFidelity'));
    const { tDir } = solveAlignedTDir(projectIntoPca(axisInField, kept));
    return [correlation(timesVector(timesTransposed(centred(x, mean), kept), tDir), timesVector(z, axis))];
  };
  const fidelities = testCase.names('out/fidelity').map((name) => {
    const count = Number(/\d+$/.exec(name)?.[0] ?? testCase.config.dEffForFidelity);
    return [name, () => [axisFidelity(axisInField, leading(count))]];
  });
  return {
    'out/ridgeMap': () => map.data,
    'out/axisInField': () => axisInField,
    'out/alphaCorrelation': correlationOfAlpha,
    ...Object.fromEntries(fidelities),
  };
}

function correlation(a: FloatArray, b: FloatArray): number {
  const [x, y] = [minusMean(a), minusMean(b)];
  return dot(x, y) / Math.sqrt(dot(x, x) * dot(y, y));
}

function minusMean(v: FloatArray): Float64Array {
  let sum = 0;
  for (const value of v) sum += value;
  return Float64Array.from(v, (value) => value - sum / v.length);
}
