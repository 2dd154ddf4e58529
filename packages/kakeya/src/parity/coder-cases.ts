import { codecGradient } from '../codec-gradient.js';
import { CompressedIndex, decodedNorm } from '../compressed-index.js';
import { lloydMaxDistortion, lloydMaxLevels } from '../lloyd-max.js';
import { matrix, rowOf } from '../matrix.js';
import { type CoderSpec, coderSpecs, quantile, rateDistortion } from '../rate-distortion.js';
import type { SparseCode } from '../record.js';
import { decodeSparseRows } from '../sparse-codec.js';
import { TransformCoder } from '../transform-coder.js';
import { segmentBits } from '../transform-state.js';
import { waterfill } from '../waterfill.js';
import type { CaseReader } from './case-reader.js';
import { rowErrors } from './set-cases.js';

/** Dot products and norms without decoding, and the gradient of the batched codec. */
export function runCompressedDomain(reader: CaseReader): void {
  const dRes = reader.tensor('in/residualIdx').shape[1]!;
  const skeleton = reader.skeleton('state/', dRes);
  const [segId, alpha, t] = [reader.integers('in/segId'), reader.vector('in/alpha'), reader.vector('in/t')];
  const [indices, values] = [reader.integers('in/residualIdx'), reader.vector('in/residualVals')];
  const codes: SparseCode[] = [...segId].map((segment, i) => ({
    segId: segment,
    alpha: alpha[i]!,
    t: t[i]!,
    residualIdx: indices.slice(i * dRes, (i + 1) * dRes),
    residualVals: Float32Array.from(values.subarray(i * dRes, (i + 1) * dRes)),
  }));
  const index = new CompressedIndex(skeleton);
  codes.forEach((code, id) => {
    index.add(id, code);
  });
  const queries = reader.matrix('in/queries');
  const scores = Array.from({ length: queries.rows }, (_, i) => [...index.scores(rowOf(queries, i))]);
  reader.compare('out/dot', scores.flat());
  reader.compare(
    'out/norm',
    codes.map((code) => decodedNorm(code, skeleton)),
  );
  reader.compare('out/decoded', decodeSparseRows(codes, skeleton).data);
  const name = reader.names().find((n) => n.startsWith('grad/vecs'));
  if (name === undefined) return;
  const rows = reader.tensor(name).shape[0]!;
  const vecs = reader.matrix('in/vecs');
  const part = matrix(rows, vecs.cols, vecs.data.slice(0, rows * vecs.cols));
  const gradient = codecGradient(part, skeleton, codes.slice(0, rows), reader.matrix('in/cotangent'));
  reader.compare(name, gradient.vecs.data);
}

/** The transform coder with its stored skeleton: allocation, tables, codes, bytes and decoded rows. */
export function runTransformCoder(reader: CaseReader): void {
  const vecs = reader.matrix('in/vecs');
  const bytesPerVec = reader.number('bytesPerVec');
  const centers = reader.matrix('state/centers');
  const bits = reader.integers('state/bits');
  const budget = 8 * bytesPerVec - segmentBits(centers.rows) - 16;
  reader.compare('state/bits', waterfill(reader.vector('state/variance'), budget));
  reader.compareTo(
    'bitsTotal',
    [bits.reduce((sum, b) => sum + b, 0)],
    [reader.expected.bitsTotal as number],
    'exact',
  );
  const table = { atol: 1e-6, rtol: 1e-6 };
  for (let b = 1; b <= 8; b++) {
    const name = `state/lloydMax${b}`;
    if (reader.has(name)) reader.compareTo(name, lloydMaxLevels(b), reader.vector(name), table);
  }
  const distortion = reader.expected.lloydMaxDistortion as number[] | undefined;
  if (distortion !== undefined) {
    reader.compareTo(
      'lloydMaxDistortion',
      lloydMaxDistortion.slice(1, distortion.length + 1),
      distortion,
      table,
    );
  }
  const coder = new TransformCoder(
    {
      basis: reader.matrix('state/basis'),
      mean: reader.vector('state/mean'),
      tDir: reader.vector('state/tDir'),
      centers,
      residualMean: reader.vector('state/residualMean'),
      sigma: reader.vector('state/sigma'),
      bits,
      scales: reader.vector('state/scales'),
    },
    bytesPerVec,
  );
  const rows = Array.from({ length: vecs.rows }, (_, i) => rowOf(vecs, i));
  const codes = rows.map((row) => coder.quantiseVector(row));
  reader.compare(
    'out/segId',
    codes.map(({ segId }) => segId),
  );
  reader.compare(
    'out/qAlpha',
    codes.map(({ qAlpha }) => qAlpha),
  );
  reader.compare(
    'out/qT',
    codes.map(({ qT }) => qT),
  );
  reader.compare(
    'out/levelIndex',
    codes.flatMap(({ levels }) => [...levels]),
  );
  const packed = rows.map((row) => coder.encode(row));
  reader.compare(
    'out/bytes',
    packed.flatMap((bytes) => [...bytes]),
  );
  const decoded = matrix(
    vecs.rows,
    vecs.cols,
    Float64Array.from(packed.flatMap((bytes) => [...coder.decode(bytes)])),
  );
  reader.compare('out/decoded', decoded.data);
  const median = quantile(rowErrors(vecs, decoded), 0.5);
  const tolerance = reader.tolerance('out/decoded');
  reader.compareTo('medianRelErr', [median], [reader.expected.medianRelErr as number], tolerance);
}

interface ExpectedRow {
  readonly coder: string;
  readonly bytesPerVec: number;
  readonly K?: number;
  readonly median: number;
  readonly p95: number;
}

/** Every listed coder, trained here; the parity record also on the stored skeleton. */
export function runRateDistortion(reader: CaseReader): void {
  const rows = (reader.expected.rows ?? []) as ExpectedRow[];
  const [train, test] = [reader.matrix('in/train'), reader.matrix('in/test')];
  const axis = reader.vector('in/axisInField');
  const measured = rateDistortion(
    train,
    test,
    rows.map((row) => specOf(reader, row)),
    { axis },
  );
  rows.forEach((row, i) => {
    const tolerance = row.coder.includes('parity') ? { atol: 0, rtol: 1e-3 } : reader.tolerance('median');
    const { median, p95, bytesPerVec } = measured[i]!;
    const name = `${row.coder}, ${row.bytesPerVec} bytes`;
    reader.compareTo(name, [median, p95], [row.median, row.p95], tolerance);
    reader.compareTo(`${name}, size`, [bytesPerVec], [row.bytesPerVec], 'exact');
  });
  const parity = rows.find((row) => row.coder.includes('parity'));
  if (parity === undefined || !reader.has('state/parity/basis')) return;
  const skeleton = reader.skeleton('state/parity/', reader.number('kakeyaDRes', 5));
  const [stored] = rateDistortion(train, test, [coderSpecs.sparse({ encoder: 'parity', skeleton })], {
    axis,
  });
  const tight = { atol: 0, rtol: 1e-3 };
  reader.compareTo(
    'parity, stored skeleton',
    [stored!.median, stored!.p95],
    [parity.median, parity.p95],
    tight,
  );
}

function specOf(reader: CaseReader, row: ExpectedRow): CoderSpec {
  if (row.coder === 'pca-int8') return coderSpecs.pcaInt8(row.bytesPerVec);
  if (row.coder === 'pq') return coderSpecs.productQuantiser(row.bytesPerVec);
  if (row.coder === 'transform') return coderSpecs.transform(row.bytesPerVec, row.K ?? 64);
  return coderSpecs.sparse({
    encoder: row.coder.includes('refit') ? 'refit' : 'parity',
    kakeyaK: reader.number('kakeyaK', 16),
    kakeyaDRes: reader.number('kakeyaDRes', 5),
    kakeyaVarianceRatio: reader.number('varianceRatio', 0.99),
  });
}
