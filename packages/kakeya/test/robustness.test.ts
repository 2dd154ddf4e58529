import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InputError } from '@palimpsest/base';
import { afterAll, describe, expect, it } from 'vitest';
import { decodeKakeyaFile, encodeKakeyaFile, type KakeyaFile } from '../src/files/kakeya-file.js';
import { savedConfig } from '../src/files/saved-shapes.js';
import {
  CompressedStore,
  clusteredVectors,
  KakeyaSet,
  type Matrix,
  matrix,
  ProductQuantiser,
  Random,
  rankEightVectors,
  rowOf,
  sphericalKMeans,
} from '../src/index.js';

const folder = mkdtempSync(join(tmpdir(), 'palimpsest-kakeya-'));
afterAll(() => rmSync(folder, { recursive: true }));

const length = (v: ArrayLike<number>) => Math.hypot(...Array.from(v));

describe('one row of another size', () => {
  const heldOut = (train: Matrix, test: Matrix, coder: 'transform' | 'sparse' | 'pca-int8') => {
    const set = new KakeyaSet(0, 'topic', ['e'], { bytesPerVec: 24, coder });
    const report = set.build(train, new Random(9).normals(train.cols));
    const errors = set.encodeBatch(test).map(({ relErr }) => relErr);
    return { error: errors.sort((a, b) => a - b)[errors.length >> 1]!, outliers: report.outliers };
  };

  it.each([
    ['clusters', clusteredVectors],
    ['rank eight', rankEightVectors],
  ] as const)('among %s does not spoil the code of the others', (_name, make) => {
    const { train, test } = make({ dimension: 64, trainRows: 400, testRows: 100 });
    for (const coder of ['transform', 'sparse', 'pca-int8'] as const) {
      const clean = heldOut(train, test, coder);
      for (const size of [10, 1000]) {
        const rows = matrix(train.rows, train.cols, Float64Array.from(train.data));
        const direction = new Random(77).normals(train.cols);
        const factor = (size * length(rowOf(rows, 0))) / length(direction);
        rows.data.set(direction.map((x) => factor * x));
        const spoilt = heldOut(rows, test, coder);
        expect(spoilt.error, `${coder}, ${size} times as long`).toBeLessThanOrEqual(2 * clean.error);
        expect(spoilt.outliers).toBeGreaterThanOrEqual(1);
      }
    }
  });
});

describe('rows without a direction', () => {
  it('make no centers of length zero, and belong to the first center', () => {
    const rows = matrix(
      9,
      3,
      Float64Array.from([0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, -1, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0]),
    );
    for (const axial of [false, true]) {
      const { centers, labels } = sphericalKMeans(rows, 4, { axial });
      for (let c = 0; c < centers.rows; c++) expect(length(rowOf(centers, c))).toBeCloseTo(1, 12);
      expect([labels[0], labels[2], labels[4], labels[7]]).toEqual([0, 0, 0, 0]);
    }
    expect(() => sphericalKMeans(matrix(3, 2), 2)).toThrow('at least one row that is not zero');
  });

  it('that cancel out leave their center where it was', () => {
    const { centers } = sphericalKMeans(matrix(2, 2, Float64Array.of(1, 0, -1, 0)), 1);
    expect(length(rowOf(centers, 0))).toBeCloseTo(1, 12);
  });
});

describe('product quantisation of vectors of one length', () => {
  it('decodes to that length, and finds more neighbours where one channel dominates', () => {
    const random = new Random(5);
    const unit = () => {
      const v = random.normals(32);
      v[0] = 6 + v[0]!;
      const norm = length(v);
      return v.map((x) => x / norm);
    };
    const rows = matrix(900, 32, Float64Array.from(Array.from({ length: 900 }, unit).flatMap((v) => [...v])));
    const coder = ProductQuantiser.train(rows, { bytesPerVec: 4 });
    const plain = new ProductQuantiser(coder.tensors().codebook as Matrix, 4);
    const codes = coder.encodeRows(rows);
    expect(length(coder.decode(codes[3]!))).toBeCloseTo(1, 6);
    const best = (score: (row: number) => number) =>
      [...codes.keys()]
        .map((row) => [score(row), row] as const)
        .sort((a, b) => b[0] - a[0])
        .slice(0, 10)
        .map(([, row]) => row);
    let [normalised, raw] = [0, 0];
    for (let i = 0; i < 40; i++) {
      const query = unit();
      const exact = new Set(
        best((row) => query.reduce((sum, x, j) => sum + x * rows.data[row * 32 + j]!, 0)),
      );
      const found = (each: ProductQuantiser) => {
        const score = each.scorer(query);
        return best((row) => score(codes[row]!)).filter((row) => exact.has(row)).length;
      };
      normalised += found(coder);
      raw += found(plain);
      const decoded = coder.decode(codes[i]!);
      const dot = query.reduce((sum, x, j) => sum + x * decoded[j]!, 0);
      expect(coder.scorer(query)(codes[i]!)).toBeCloseTo(dot, 6);
    }
    expect(normalised).toBeGreaterThan(1.15 * raw);
  });
});

describe('every member of a stored file is judged by what it says', () => {
  type Json = Record<string, unknown> & { set: Record<string, unknown> };
  async function altered(
    change: (file: { json: Json; tensors: Record<string, unknown> }) => void,
  ): Promise<Error> {
    const store = new CompressedStore({ dimension: 12, kakeyaMinEntries: 8 });
    const random = new Random(3);
    for (let id = 0; id < 20; id++) store.set(id, random.normals(12));
    const path = await store.save(join(folder, 'store'));
    const file = decodeKakeyaFile<Json>(readFileSync(path), 'compressed-store', path, savedConfig);
    const copy = { ...file, tensors: { ...file.tensors } };
    change(copy);
    writeFileSync(path, encodeKakeyaFile(copy as KakeyaFile<Json>));
    return CompressedStore.load(join(folder, 'store')).then(
      () => new Error('accepted'),
      (error: Error) => error,
    );
  }

  it.each<[string, Parameters<typeof altered>[0], string]>([
    ['ids are a number', ({ json }) => Object.assign(json, { recordIds: 5 }), "'recordIds' in its header"],
    ['ids are too few', ({ json }) => (json.recordIds as unknown[]).pop(), "'recordIds' lists 19 entries"],
    ['an id stands twice', ({ json }) => (json.recordIds as unknown[]).fill(0, 1, 2), 'name an entry twice'],
    [
      'the width is a text',
      ({ json }) => Object.assign(json, { dimension: '12' }),
      "'dimension' in its header",
    ],
    ['the width is another', ({ json }) => Object.assign(json, { dimension: 13 }), 'is damaged'],
    [
      'an option is out of range',
      ({ json }) => Object.assign(json.config as Json, { kakeyaK: -1 }),
      'kakeyaK',
    ],
    ['the set is missing', ({ json }) => Object.assign(json, { set: null }), "'set' is null"],
    [
      'the build is a text',
      ({ json }) => Object.assign(json.set, { epoch: 'x' }),
      "'set.epoch' in its header",
    ],
    ['the build is another', ({ json }) => Object.assign(json.set, { epoch: 7 }), 'build'],
    [
      'the coder is unknown',
      ({ json }) => Object.assign(json.set.coder as Json, { coder: 'zip' }),
      'a coder named zip',
    ],
    [
      'the sample position is null',
      ({ json }) => Object.assign(json, { position: null }),
      "'position' in its header",
    ],
    [
      'an array is missing',
      ({ tensors }) => Reflect.deleteProperty(tensors, 'records/kind'),
      'lacks the array records/kind',
    ],
    [
      'a record is of no kind',
      ({ tensors }) => (tensors['records/kind'] as { data: Int32Array }).data.fill(9, 0, 1),
      'records/kind does not fit',
    ],
    [
      'a mean is not finite',
      // Half floats are kept as they are stored: this is one of their patterns that is no number.
      ({ tensors }) => (tensors['set/coder/mean'] as { data: Uint16Array }).data.fill(0x7e00, 2, 3),
      'array set/coder/mean holds NaN',
    ],
    [
      'lengths do not add up',
      ({ tensors }) => (tensors['records/byteCount'] as { data: Int32Array }).data.fill(99, 0, 1),
      'do not make up pieces',
    ],
  ])('where %s', async (_what, change, message) => {
    const error = await altered(change);
    expect(error).toBeInstanceOf(InputError);
    expect(error.message.startsWith(join(folder, 'store.kakeya'))).toBe(true);
    expect(error.message).toContain(message);
  });
});
