import type { GoldenHandler, GoldenOutputs } from '@palimpsest/base/golden';
import { lloydMaxDistortion, lloydMaxLevels } from '../coders/lloyd-max.js';
import { TransformCoder } from '../coders/transform-coder.js';
import { segmentBits } from '../coders/transform-state.js';
import { waterfill } from '../coders/waterfill.js';
import { rowOf } from '../linalg/matrix.js';
import { quantile } from '../measure/rate-distortion.js';
import { CompressedIndex, decodedNorm } from '../search/compressed-index.js';
import { codecGradient } from '../set/codec-gradient.js';
import type { SparseCode } from '../set/record.js';
import { decodeSparseRows } from '../set/sparse-codec.js';
import { firstRows, matrixOf, numberOf, storedSkeleton } from './inputs.js';
import { rowErrors } from './outputs.js';

/** Dot products and norms without decoding, and the gradient of the batched codec. */
export const compressedDomainCase: GoldenHandler = {
  system: 'kakeya',
  kind: 'compressed-domain',
  run: (testCase) => {
    const dRes = testCase.shape('in/residualIdx')[1]!;
    const skeleton = storedSkeleton(testCase, 'state/', dRes);
    const [alpha, t] = [testCase.numbers('in/alpha'), testCase.numbers('in/t')];
    const [indices, values] = [testCase.integers('in/residualIdx'), testCase.numbers('in/residualVals')];
    const codes: SparseCode[] = [...testCase.integers('in/segId')].map((segId, i) => ({
      segId,
      alpha: alpha[i]!,
      t: t[i]!,
      residualIdx: indices.slice(i * dRes, (i + 1) * dRes),
      residualVals: Float32Array.from(values.subarray(i * dRes, (i + 1) * dRes)),
    }));
    const index = new CompressedIndex(skeleton);
    codes.forEach((code, id) => {
      index.add(id, code);
    });
    const queries = matrixOf(testCase, 'in/queries');
    const gradients = testCase.names('grad/vecs').map((name) => {
      const rows = testCase.shape(name)[0]!;
      const gradient = codecGradient(
        firstRows(matrixOf(testCase, 'in/vecs'), rows),
        skeleton,
        codes.slice(0, rows),
        matrixOf(testCase, 'in/cotangent'),
      );
      return [name, gradient.vecs.data];
    });
    return {
      'out/dot': () =>
        Array.from({ length: queries.rows }, (_, i) => [...index.scores(rowOf(queries, i))]).flat(),
      'out/norm': () => codes.map((code) => decodedNorm(code, skeleton)),
      'out/decoded': () => decodeSparseRows(codes, skeleton).data,
      ...Object.fromEntries(gradients),
    };
  },
};

/** The transform coder with its stored skeleton: allocation, tables, codes, bytes and decoded rows. */
export const transformCoderCase: GoldenHandler = {
  system: 'kakeya',
  kind: 'transform-coder',
  run: (testCase) => {
    const vecs = matrixOf(testCase, 'in/vecs');
    const bytesPerVec = numberOf(testCase, 'bytesPerVec');
    const centers = matrixOf(testCase, 'state/centers');
    const bits = testCase.integers('state/bits');
    const vector = (name: string) => testCase.numbers(`state/${name}`);
    const coder = new TransformCoder(
      {
        basis: matrixOf(testCase, 'state/basis'),
        mean: vector('mean'),
        tDir: vector('tDir'),
        centers,
        residualMean: vector('residualMean'),
        sigma: vector('sigma'),
        bits,
        scales: vector('scales'),
      },
      bytesPerVec,
    );
    const rows = Array.from({ length: vecs.rows }, (_, i) => rowOf(vecs, i));
    const codes = rows.map((row) => coder.quantiseVector(row));
    const packed = coder.encodeRows(vecs);
    const decoded = coder.decodeRows(packed);
    const budget = 8 * bytesPerVec - segmentBits(centers.rows) - 16;
    const levels = Array.from({ length: 8 }, (_, i) => [
      `state/lloydMax${i + 1}`,
      () => lloydMaxLevels(i + 1),
    ]);
    return {
      ...(testCase.has('state/variance') && { 'state/bits': waterfill(vector('variance'), budget) }),
      ...Object.fromEntries(levels),
      'out/segId': () => codes.map(({ segId }) => segId),
      'out/qAlpha': () => codes.map(({ qAlpha }) => qAlpha),
      'out/qT': () => codes.map(({ qT }) => qT),
      'out/levelIndex': () => codes.flatMap((code) => [...code.levels]),
      'out/bytes': () => packed.flatMap((bytes) => [...bytes]),
      'out/decoded': () => decoded.data,
      'expected/bitsTotal': () => bits.reduce((sum, b) => sum + b, 0),
      'expected/lloydMaxDistortion': () => lloydMaxDistortion.slice(1),
      'expected/medianRelErr': () => quantile(rowErrors(vecs, decoded), 0.5),
    } as GoldenOutputs;
  },
};
