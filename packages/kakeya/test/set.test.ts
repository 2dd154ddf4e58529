import { describe, expect, it } from 'vitest';
import {
  codecGradient,
  coefficientsOf,
  decodeSparseRows,
  directionGradient,
  encodeSparseRows,
  KakeyaSet,
  type Matrix,
  matrix,
  matrixFromRows,
  packRecord,
  presets,
  pushforward,
  Random,
  reconstructionLoss,
  recordBytes,
  rowOf,
  type SparseVec,
  skeletonFrom,
  unpackRecord,
} from '../src/index.js';
import { gaussian, lowRank, relativeError, slice } from './vectors.js';

const parity = presets.reference;
const improvedSparse = { coder: 'sparse', skeletonDtype: 'f32' } as const;

function builtSet(config: object, rows: Matrix, seed = 5): KakeyaSet {
  const set = new KakeyaSet(0, 'ctx', ['field'], config);
  set.build(rows, new Random(seed).normals(rows.cols));
  return set;
}

function errorsOf(set: KakeyaSet, rows: Matrix): number[] {
  const decoded = set.decodeBatch(set.encodeBatch(rows));
  return Array.from({ length: rows.rows }, (_, i) => relativeError(rowOf(rows, i), rowOf(decoded, i)));
}

describe('worked example', () => {
  const rows = matrixFromRows(
    [
      [2, 0, 0],
      [0, 1, 0],
      [-2, 0, 0],
      [0, -1, 0],
    ].map((row) => Float64Array.from(row)),
  );
  const axis = Float64Array.of(0, 3, 4);

  it('gives the numbers done by hand', () => {
    const set = new KakeyaSet(0, 'time', ['x'], { ...parity, kakeyaK: 2, kakeyaDRes: 1 });
    const report = set.build(rows, axis);
    const skeleton = set.skeleton!;
    expect([...skeleton.basis.data]).toEqual([1, 0, 0, 0, 1, 0]);
    expect([...skeleton.tDir]).toEqual([0, 1]);
    expect([...skeleton.centers.data]).toEqual([1, 0, -1, 0]);
    expect(report.fidelity).toBeCloseTo(0.6, 12);
    expect(set.verifyAlignment(axis)).toBe(0);
    const record = set.encode(Float64Array.of(-1, 0.5, 7)) as SparseVec;
    expect(record).toMatchObject({ segId: 1, alpha: 0.5, t: 1 });
    expect([record.residualIdx[0], record.residualVals[0]! + 0]).toEqual([0, 0]);
    expect([...set.decode(record)]).toEqual([-1, 0.5, 0]);
  });

  it('needs one center with the axial rule', () => {
    const set = new KakeyaSet(0, 'time', ['x'], {
      ...improvedSparse,
      fieldScaling: 'none',
      kakeyaK: 2,
      kakeyaDRes: 1,
    });
    set.build(rows, axis);
    expect(set.skeleton!.K).toBe(1);
    expect([...set.decode(set.encode(Float64Array.of(-1, 0.5, 7)))]).toEqual([-1, 0.5, 0]);
  });
});

describe('sparse sets', () => {
  const rows = lowRank(160, 128, 8, 0.1, 1);
  const train = slice(rows, 0, 100);

  it('keeps the round trip of training rows at or below the reference tolerance, refit below it row by row', () => {
    const errors = errorsOf(builtSet(parity, train), train).sort((a, b) => a - b);
    expect(errors[50]).toBeLessThanOrEqual(0.15);
    expect(errors[99]).toBeLessThan(0.65);
    const refit = builtSet({ ...parity, encoder: 'refit' }, train);
    const one = builtSet(parity, train);
    const [a, b] = [errorsOf(refit, rows), errorsOf(one, rows)];
    a.forEach((error, i) => {
      expect(error).toBeLessThanOrEqual(b[i]! + 1e-6);
    });
  });

  it('has alignment error below 1e-5', () => {
    const axis = new Random(5).normals(128);
    for (const config of [parity, improvedSparse]) {
      expect(builtSet(config, train).verifyAlignment(axis)).toBeLessThan(1e-5);
    }
    expect(builtSet({}, train).verifyAlignment(axis)).toBeLessThan(2e-3);
  });

  it.each([
    ['steep', 0.75],
    ['middling', 0.88],
    ['flat', 1],
  ])('refits 10,000 rows of a %s spectrum without making one worse', (_, decay) => {
    const shaped = (n: number, seed: number) =>
      matrix(
        n,
        24,
        gaussian(n, 24, seed).data.map((x: number, i: number) => x * decay ** (i % 24)) as Float64Array,
      );
    const { skeleton } = builtSet({ ...parity, kakeyaDRes: 4 }, shaped(300, 2));
    const test = shaped(10_000, 3);
    const encode = (encoder: 'parity' | 'refit') =>
      decodeSparseRows(encodeSparseRows(test, skeleton!, { encoder, assignment: 'signed' }), skeleton!);
    const [a, b] = [encode('refit'), encode('parity')];
    let worse = 0;
    let better = 0;
    for (let i = 0; i < test.rows; i++) {
      const [x, y] = [relativeError(rowOf(test, i), rowOf(a, i)), relativeError(rowOf(test, i), rowOf(b, i))];
      if (x > y + 1e-6) worse++;
      if (x < y - 1e-6) better++;
    }
    expect(worse).toBe(0);
    expect(better).toBeGreaterThan(5000);
  });

  it('loses less with more residual entries, down to the PCA floor when all are kept', () => {
    let last = Infinity;
    for (const kakeyaDRes of [0, 1, 2, 4, 6, 64]) {
      const set = builtSet({ ...parity, kakeyaDRes }, train);
      const mean = errorsOf(set, train).reduce((a, b) => a + b, 0) / 100;
      expect(mean).toBeLessThanOrEqual(last + 1e-9);
      last = mean;
    }
    const set = builtSet({ ...parity, kakeyaDRes: 64 }, train);
    const { basis, mean } = set.skeleton!;
    const c = coefficientsOf(train, set.skeleton!);
    const floor = decodeFloor(c, basis, mean);
    const decoded = set.decodeBatch(set.encodeBatch(train));
    for (let i = 0; i < 100; i++)
      expect(relativeError(rowOf(floor, i), rowOf(decoded, i))).toBeLessThan(1e-5);
  });

  it('decodes its mean, and vectors spanned by the direction and one center, exactly', () => {
    for (const config of [parity, { ...improvedSparse, fieldScaling: 'none' }] as const) {
      const set = builtSet({ ...config, kakeyaDRes: 2 }, train);
      const { basis, mean, tDir, centers } = set.skeleton!;
      expect(relativeError(mean, set.decode(set.encode(mean)))).toBeLessThan(1e-6);
      for (const k of [0, centers.rows - 1]) {
        const c = Float64Array.from(tDir, (t, i) => 2 * t + 3 * centers.data[k * centers.cols + i]!);
        const v = Float64Array.from(mean);
        c.forEach((x, i) => {
          for (let j = 0; j < v.length; j++) v[j]! += x * basis.data[i * basis.cols + j]!;
        });
        expect(relativeError(v, set.decode(set.encode(v)))).toBeLessThan(1e-5);
      }
    }
  });

  it.each(['sparse', 'transform', 'pca-int8', 'pq'] as const)(
    'codes a batch as it codes single vectors (%s)',
    (coder) => {
      const set = builtSet({ coder, bytesPerVec: 16 }, train);
      const batch = set.encodeBatch(slice(rows, 100, 110));
      const decoded = set.decodeBatch(batch);
      for (let i = 0; i < 10; i++) {
        const single = set.encode(rowOf(rows, 100 + i));
        expect(single).toEqual(batch[i]);
        expect([...set.decode(single)]).toEqual([...rowOf(decoded, i)]);
        expect(single.relErr).toBeLessThan(2);
      }
    },
  );

  it('packs and unpacks records, dense once every coefficient is kept', () => {
    for (const kakeyaDRes of [0, 3, 64]) {
      const set = builtSet({ ...parity, kakeyaDRes }, train);
      const skeleton = set.skeleton!;
      const record = set.encode(rowOf(rows, 120)) as SparseVec;
      const bytes = packRecord(record, skeleton);
      expect(bytes.length).toBe(recordBytes(skeleton, 'packed'));
      expect(bytes.length).toBe(kakeyaDRes === 64 ? 4 * skeleton.dEff : 9 + 5 * kakeyaDRes);
      const again = decodeSparseRows([unpackRecord(bytes, skeleton)], skeleton);
      expect(relativeError(set.decode(record), again.data)).toBeLessThan(1e-6);
      expect(() => unpackRecord(bytes.slice(1), skeleton)).toThrow(/torn/);
    }
  });
});

function decodeFloor(c: Matrix, basis: Matrix, mean: Float32Array): Matrix {
  return matrixFromRows(
    Array.from({ length: c.rows }, (_, row) => {
      const v = Float64Array.from(mean);
      for (let i = 0; i < basis.rows; i++) {
        for (let j = 0; j < v.length; j++)
          v[j]! += c.data[row * c.cols + i]! * basis.data[i * basis.cols + j]!;
      }
      return v;
    }),
  );
}

describe('degenerate rows', () => {
  it('one row: refused unless forced; parity builds', () => {
    const one = gaussian(1, 6, 1);
    expect(() => builtSet({}, one)).toThrow(/at least 2 rows/);
    const forced = new KakeyaSet(0, 'ctx', ['f'], {});
    forced.build(one, new Float64Array(6).fill(1), { force: true });
    expect(relativeError(one.data, forced.decode(forced.encode(rowOf(one, 0))))).toBeLessThan(1e-3);
    expect(builtSet(parity, one).skeleton).toMatchObject({ dEff: 1, K: 1 });
  });

  it('equal rows decode to their mean, with two components in improved mode', () => {
    const equal = matrix(
      9,
      5,
      Float64Array.from({ length: 45 }, (_, i) => 1 + (i % 5)),
    );
    expect(builtSet(parity, equal).skeleton!.dEff).toBe(5);
    for (const config of [parity, improvedSparse, {}] as const) {
      const set = builtSet(config, equal);
      if (config !== parity) expect(set.skeleton!.dEff).toBe(2);
      expect(relativeError(rowOf(equal, 0), set.decode(set.encode(rowOf(equal, 0))))).toBeLessThan(1e-3);
    }
  });

  it('two rows are exact, and a rank-one set drops repeated centers', () => {
    const two = gaussian(2, 7, 3);
    expect(Math.max(...errorsOf(builtSet(parity, two), two))).toBeLessThan(1e-5);
    const line = matrix(
      12,
      6,
      Float64Array.from({ length: 72 }, (_, i) => (Math.floor(i / 6) - 4) * ((i % 6) + 1)),
    );
    expect(builtSet(improvedSparse, line).skeleton!.K).toBe(1);
  });

  it('reports an axis that the PCA space cannot see', () => {
    const rows = lowRank(30, 10, 3, 0.1, 4);
    const set = new KakeyaSet(0, 'ctx', ['f'], improvedSparse);
    expect(set.build(rows, new Float64Array(10))).toEqual({ solveError: 1, fidelity: 0, outliers: 0 });
    expect(set.verifyAlignment(new Float64Array(10))).toBe(1);
  });
});

describe('gradients', () => {
  const vecs = lowRank(12, 20, 6, 0.3, 8);
  const skeleton = skeletonFrom({
    ...builtSet({ ...parity, kakeyaK: 5, kakeyaDRes: 2 }, lowRank(60, 20, 6, 0.3, 9)).skeleton!,
  });
  const encoding = { encoder: 'parity', assignment: 'signed' } as const;

  /** sum(cotangent * decode(encode(V))) in float64, with the discrete choices of `codes`. */
  function scalar(
    v: Matrix,
    t: Float64Array,
    codes: ReturnType<typeof encodeSparseRows>,
    cotangent: Matrix,
  ): number {
    const c = coefficientsOf(v, skeleton);
    let sum = 0;
    codes.forEach(({ segId, residualIdx }, row) => {
      const s = rowOf(skeleton.centers, segId);
      const x = rowOf(c, row);
      const dot = (a: ArrayLike<number>, b: ArrayLike<number>) =>
        Array.from(a).reduce((acc, value, i) => acc + value * b[i]!, 0);
      const alpha = dot(x, t);
      const perp = Array.from(x, (value, i) => value - alpha * t[i]!);
      const tau = dot(perp, s);
      const decoded = Array.from(t, (direction, i) => alpha * direction + tau * s[i]!);
      for (const i of residualIdx) decoded[i]! += perp[i]! - tau * s[i]!;
      decoded.forEach((value, i) => {
        sum += value * dot(rowOf(skeleton.basis, i), rowOf(cotangent, row));
      });
    });
    return sum;
  }

  it('of the codec agree with central differences, by the vectors and by the direction', () => {
    const codes = encodeSparseRows(vecs, skeleton, encoding);
    const cotangent = gaussian(12, 20, 10);
    const t = Float64Array.from(skeleton.tDir);
    const gradient = codecGradient(vecs, skeleton, codes, cotangent);
    const step = 1e-4;
    for (const at of [0, 37, 111, 239]) {
      const moved = (sign: number) =>
        matrix(
          12,
          20,
          vecs.data.map((x: number, i: number) => (i === at ? x + sign * step : x)) as Float64Array,
        );
      const numeric =
        (scalar(moved(1), t, codes, cotangent) - scalar(moved(-1), t, codes, cotangent)) / (2 * step);
      expect(gradient.vecs.data[at]).toBeCloseTo(numeric, 6);
    }
    t.forEach((_, at) => {
      const moved = (sign: number) => t.map((x, i) => (i === at ? x + sign * step : x));
      const numeric =
        (scalar(vecs, moved(1), codes, cotangent) - scalar(vecs, moved(-1), codes, cotangent)) / (2 * step);
      expect(gradient.tDir[at]).toBeCloseTo(numeric, 6);
    });
  });

  it('reach the base-to-field map and the bundle axis', () => {
    const axis = new Random(11).normals(4);
    const map = gaussian(4, 20, 12);
    const byT = new Random(13).normals(skeleton.dEff);
    const value = (m: Matrix, a: Float64Array) => {
      const target = Array.from({ length: skeleton.dEff }, (_, i) =>
        pushforward(a, m).reduce((sum, x, j) => sum + x * skeleton.basis.data[i * 20 + j]!, 0),
      );
      return target.reduce((sum, x, i) => sum + x * byT[i]!, 0) / Math.hypot(...target);
    };
    const gradient = directionGradient(byT, axis, map, skeleton.basis);
    const step = 1e-5;
    for (const at of [0, 23, 79]) {
      const moved = (sign: number) =>
        matrix(
          4,
          20,
          map.data.map((x: number, i: number) => (i === at ? x + sign * step : x)) as Float64Array,
        );
      expect(gradient.map.data[at]).toBeCloseTo(
        (value(moved(1), axis) - value(moved(-1), axis)) / (2 * step),
        6,
      );
    }
    axis.forEach((_, at) => {
      const moved = (sign: number) => axis.map((x, i) => (i === at ? x + sign * step : x));
      expect(gradient.axis[at]).toBeCloseTo((value(map, moved(1)) - value(map, moved(-1))) / (2 * step), 6);
    });
    expect(() => directionGradient(byT, new Float64Array(4), map, skeleton.basis)).toThrow(
      /projects to zero/,
    );
  });

  it('of the reconstruction loss point downhill', () => {
    const { loss, gradient } = reconstructionLoss(vecs, skeleton);
    const moved = matrix(
      12,
      20,
      vecs.data.map((x: number, i: number) => x - 0.5 * gradient.vecs.data[i]!) as Float64Array,
    );
    expect(reconstructionLoss(moved, skeleton).loss).toBeLessThan(loss);
  });
});
