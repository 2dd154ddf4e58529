import type { GoldenHandler, GoldenOutputs } from '@palimpsest/base/golden';
import { presets } from '../config.js';
import { matrix, rowOf } from '../linalg/matrix.js';
import { KakeyaSet } from '../set/kakeya-set.js';
import type { SparseCode } from '../set/record.js';
import { refitCode } from '../set/refit.js';
import { SingleSetCodec } from '../set/single-set-codec.js';
import { coefficientsOf, decodeSparseRows, encodeSparseRows } from '../set/sparse-codec.js';
import { matrixOf, numberOf, storedSkeleton } from './inputs.js';
import { codeOutputs, lowerMedian, rowErrors, skeletonOutputs } from './outputs.js';

const PARITY = { encoder: 'parity', assignment: 'signed' } as const;

/** Build, encode and decode one set; then encode and decode once more from the stored skeleton. */
export const setCase: GoldenHandler = {
  system: 'kakeya',
  kind: 'set',
  run: (testCase) => {
    const vecs = matrixOf(testCase, 'in/vecs');
    const heldOut = testCase.has('in/heldOut') ? matrixOf(testCase, 'in/heldOut') : matrix(0, vecs.cols);
    const axis = testCase.numbers('in/axisInField');
    const set = new KakeyaSet(0, 'ctx', ['field'], { ...presets.reference, ...testCase.config });
    set.build(vecs, axis);
    const skeleton = set.skeleton!;
    const rows = matrix(
      vecs.rows + heldOut.rows,
      vecs.cols,
      Float64Array.from([...vecs.data, ...heldOut.data]),
    );
    const built = encodeSparseRows(rows, skeleton, PARITY);
    const decoded = decodeSparseRows(built, skeleton);
    const errors = rowErrors(rows, decoded);
    const outputs: GoldenOutputs = {
      ...skeletonOutputs(skeleton, 'state/'),
      ...codeOutputs(built, '@built'),
      'out/decoded@built': () => decoded.data,
      'out/relErr': () => errors,
      'expected/dEff': () => skeleton.dEff,
      'expected/K': () => skeleton.K,
      'expected/dRes': () => skeleton.dRes,
      'expected/alignmentError': () => set.verifyAlignment(axis),
      'expected/medianRelErrTrain': () => lowerMedian(errors.slice(0, vecs.rows)),
      'expected/maxRelErrTrain': () => Math.max(...errors.slice(0, vecs.rows)),
      'expected/medianRelErrHeldOut': () => lowerMedian(errors.slice(vecs.rows)),
    };
    if (!testCase.has('state/basis')) return outputs;
    const stored = storedSkeleton(testCase, 'state/', skeleton.dRes);
    const codes = encodeSparseRows(rows, stored, PARITY);
    return {
      ...outputs,
      ...codeOutputs(codes, '@fromStoredSkeleton'),
      'out/decoded@fromStoredSkeleton': () => decodeSparseRows(codes, stored).data,
    };
  },
};

/** The older codec with its stored skeleton: records, decoded rows and statistics. */
export const codecV312Case: GoldenHandler = {
  system: 'kakeya',
  kind: 'codec-v312',
  // The norm of the mean coefficient is noise that the case tells about its data, not a result.
  given: ['expected/stats/sem_entries', 'expected/meanCoeffNorm'],
  run: (testCase) => {
    const vecs = matrixOf(testCase, 'in/vecs');
    const codec = new SingleSetCodec({ dLLM: vecs.cols, ...testCase.config });
    codec.useSkeleton(storedSkeleton(testCase, 'state/', numberOf(testCase, 'dRes', 5)));
    const { stats = {} } = testCase.member('expected', {} as { stats?: { sem_entries?: number } });
    const measuredAt = Math.min(stats.sem_entries ?? vecs.rows, vecs.rows);
    const codes: SparseCode[] = [];
    const decoded: number[] = [];
    let measured = codec.getStats();
    for (let i = 0; i < vecs.rows; i++) {
      codes.push(codec.encodeEntry(i, rowOf(vecs, i)));
      decoded.push(...codec.decode(i)!);
      if (i + 1 === measuredAt) measured = codec.getStats();
    }
    const statistics = Object.entries(measured).map(([name, value]) => [
      `expected/stats/${name}`,
      () => value,
    ]);
    return { ...codeOutputs(codes), 'out/decoded': () => decoded, ...Object.fromEntries(statistics) };
  },
};

/** The refit encoder on the stored skeleton; residual entries in the order of decreasing absolute value. */
export const refitCase: GoldenHandler = {
  system: 'kakeya',
  kind: 'refit-encode',
  run: (testCase) => {
    const vecs = matrixOf(testCase, 'in/vecs');
    const dRes = numberOf(
      testCase,
      'kakeyaDRes',
      testCase.has('out/residualIdx') ? testCase.shape('out/residualIdx')[1] : 5,
    );
    const skeleton = storedSkeleton(testCase, 'state/', dRes);
    const coefficients = coefficientsOf(vecs, skeleton);
    const parity = encodeSparseRows(vecs, skeleton, PARITY);
    const options = {
      candidates: numberOf(testCase, 'candidates', 8),
      rounds: numberOf(testCase, 'rounds', 3),
    };
    const refit = parity.map((code, i) => refitCode(rowOf(coefficients, i), skeleton, code, options));
    const decoded = decodeSparseRows(refit, skeleton);
    const errors = {
      parity: rowErrors(vecs, decodeSparseRows(parity, skeleton)),
      refit: rowErrors(vecs, decoded),
    };
    return {
      ...codeOutputs(refit.map(byMagnitude)),
      'out/decoded': () => decoded.data,
      'out/relErrParity': () => errors.parity,
      'out/relErrRefit': () => errors.refit,
      'expected/medianParity': () => lowerMedian(errors.parity),
      'expected/medianRefit': () => lowerMedian(errors.refit),
    };
  },
};

function byMagnitude(code: SparseCode): SparseCode {
  const order = [...code.residualVals.keys()].sort(
    (a, b) => Math.abs(code.residualVals[b]!) - Math.abs(code.residualVals[a]!),
  );
  return {
    ...code,
    residualIdx: Int32Array.from(order, (i) => code.residualIdx[i]!),
    residualVals: Float32Array.from(order, (i) => code.residualVals[i]!),
  };
}
