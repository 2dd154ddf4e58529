import { readBytes, writeFileAtomically } from '@palimpsest/base';
import { type KakeyaConfigInput, kakeyaConfig } from '../config.js';
import { expect } from '../errors.js';
import { decodeKakeyaFile, encodeKakeyaFile, fromFile, TensorReader } from '../files/kakeya-file.js';
import { readRecords, writeRecords } from '../files/record-file.js';
import { savedCodec } from '../files/saved-shapes.js';
import { readSkeleton, writeSkeleton } from '../files/set-file.js';
import { expectFiniteRows, expectVector } from '../linalg/checks.js';
import {
  centred,
  type FloatArray,
  type Matrix,
  matrix,
  matrixFromRows,
  norm,
  rowOf,
  timesTransposed,
} from '../linalg/matrix.js';
import { computePca } from '../linalg/pca.js';
import { sphericalKMeans } from '../linalg/spherical-kmeans.js';
import { accounting } from './accounting.js';
import type { SparseCode } from './record.js';
import { perpendicularDirections, type Skeleton, skeletonFrom } from './skeleton.js';
import { decodeSparseRows, encodeSparseRows } from './sparse-codec.js';

export type EntryId = number | string;

export interface SingleSetOptions {
  /** Width of a vector; default 768. */
  readonly dLLM?: number;
  readonly varianceRatio?: number;
  readonly K?: number;
  readonly dRes?: number;
  /** Entries before a skeleton is built; default 8. */
  readonly minEntries?: number;
}

/** Byte accounting in the older program's names. */
export interface SingleSetStats {
  readonly sem_entries: number;
  readonly sem_d_eff: number;
  readonly sem_K: number;
  readonly original_bytes: number;
  readonly compressed_bytes: number;
  readonly compression_ratio: number;
  readonly totalEncoded: number;
  readonly totalDecoded: number;
  readonly skeletonBuilds: number;
}

interface Saved {
  readonly options: Required<SingleSetOptions>;
  readonly ids: readonly EntryId[];
  readonly counters: readonly [number, number, number];
  readonly built: boolean;
  readonly dRes: number;
}

const ENCODING = { encoder: 'parity', assignment: 'signed' } as const;

/**
 * The older single-set codec (v3.12, DERIVATION.md, "Accounting"): one skeleton, a map from id to record. Its direction is the
 * normalised mean of centred coefficients, which is rounding noise, so a build falls back to the first unit vector.
 */
export class SingleSetCodec {
  readonly options: Required<SingleSetOptions>;
  #skeleton: Skeleton | null = null;
  readonly #records = new Map<EntryId, SparseCode>();
  #totalEncoded = 0;
  #totalDecoded = 0;
  #skeletonBuilds = 0;

  constructor(options: SingleSetOptions = {}) {
    const { dLLM = 768, varianceRatio = 0.99, K = 16, dRes = 5, minEntries = 8 } = options;
    // The registry's schema checks the same ranges, so a bad option reads the same everywhere.
    kakeyaConfig({
      kakeyaVarianceRatio: varianceRatio,
      kakeyaK: K,
      kakeyaDRes: dRes,
      kakeyaMinEntries: minEntries,
    } satisfies KakeyaConfigInput);
    this.options = { dLLM, varianceRatio, K, dRes, minEntries };
  }

  get skeleton(): Skeleton | null {
    return this.#skeleton;
  }
  get isActive(): boolean {
    return this.#skeleton !== null;
  }
  /** Ids with a record. */
  get ids(): EntryId[] {
    return [...this.#records.keys()];
  }

  /** Uses a stored skeleton instead of building one. */
  useSkeleton(skeleton: Skeleton): void {
    this.#skeleton = skeletonFrom({ ...skeleton, dRes: this.options.dRes });
    this.#records.clear();
  }

  /**
   * Builds the skeleton from every entry that has a vector and encodes them all; false, with nothing changed, when
   * there are fewer than minEntries. Throws on a wrong width or non-finite numbers, with nothing changed.
   */
  build(store: Iterable<readonly [EntryId, ArrayLike<number> | null | undefined]>): boolean {
    const present = [...store].filter((entry): entry is [EntryId, ArrayLike<number>] => entry[1] != null);
    if (present.length < this.options.minEntries) return false;
    for (const [id, v] of present) expectVector(v, this.options.dLLM, `The vector of entry ${id}`);
    const rows = matrixFromRows(present.map(([, v]) => v));
    const skeleton = this.#learn(rows);
    const codes = encodeSparseRows(rows, skeleton, ENCODING);
    this.#skeleton = skeleton;
    this.#records.clear();
    present.forEach(([id], i) => {
      this.#records.set(id, codes[i]!);
    });
    this.#skeletonBuilds++;
    this.#totalEncoded += present.length;
    return true;
  }

  /** Encodes and keeps one entry; returns its record. Throws without a skeleton or on a bad vector. */
  encodeEntry(id: EntryId, v: FloatArray): SparseCode {
    const skeleton = this.#active();
    expectVector(v, skeleton.basis.cols, `The vector of entry ${id}`);
    const code = encodeSparseRows(matrix(1, v.length, v), skeleton, ENCODING)[0]!;
    this.#records.set(id, code);
    this.#totalEncoded++;
    return code;
  }

  /** The vector of an entry, or null for an unknown id. */
  decode(id: EntryId): Float32Array | null {
    const code = this.#records.get(id);
    if (code === undefined) return null;
    this.#totalDecoded++;
    return rowOf(decodeSparseRows([code], this.#active()), 0) as Float32Array;
  }

  /** {@link decode} under the older program's name. */
  decodeSem(id: EntryId): Float32Array | null {
    return this.decode(id);
  }

  /** True if the entry was there. */
  removeEntry(id: EntryId): boolean {
    return this.#records.delete(id);
  }

  getStats(): SingleSetStats {
    const n = this.#records.size;
    const dEff = this.#skeleton?.dEff ?? 0;
    const K = this.#skeleton?.K ?? 0;
    const d = this.#skeleton?.basis.cols ?? this.options.dLLM;
    const row = accounting({ n, d, dEff, K, dRes: this.#skeleton?.dRes ?? this.options.dRes });
    const compressed = this.isActive ? row.compressedBytes : 0;
    return {
      sem_entries: n,
      sem_d_eff: dEff,
      sem_K: K,
      original_bytes: row.originalBytes,
      compressed_bytes: compressed,
      compression_ratio: compressed > 0 ? row.originalBytes / compressed : 0,
      totalEncoded: this.#totalEncoded,
      totalDecoded: this.#totalDecoded,
      skeletonBuilds: this.#skeletonBuilds,
    };
  }

  /** Writes skeleton, records, options and counters to one safetensors file, atomically. */
  async save(path: string): Promise<void> {
    const header = { setIdx: 0, epoch: 0, relErr: 0, fieldRelErr: [], kind: 'sparse' } as const;
    const records = [...this.#records.values()].map((code) => ({ ...header, ...code }));
    const json: Saved = {
      options: this.options,
      ids: this.ids,
      counters: [this.#totalEncoded, this.#totalDecoded, this.#skeletonBuilds],
      built: this.isActive,
      dRes: this.#skeleton?.dRes ?? 0,
    };
    const tensors = {
      ...writeRecords(records, 'records/'),
      ...(this.#skeleton === null ? {} : writeSkeleton(this.#skeleton, 'skeleton/', 'F32')),
    };
    await writeFileAtomically(path, encodeKakeyaFile({ kind: 'single-set-codec', json, tensors }));
  }

  /** Replaces everything by a saved codec's. Throws on a torn or foreign file; the codec is then as it was. */
  async load(path: string): Promise<void> {
    const { json, tensors } = decodeKakeyaFile<Saved>(
      await readBytes(path),
      'single-set-codec',
      path,
      savedCodec,
    );
    expect(json.options.dLLM === this.options.dLLM, () => {
      return `${path} holds vectors of width ${json.options.dLLM}, this codec ${this.options.dLLM}; create it with that width.`;
    });
    const reader = new TensorReader(tensors, path);
    const { skeleton, records } = fromFile(path, () => {
      const all = readRecords(reader, 'records/');
      expect(all.length === json.ids.length, () => {
        return `'ids' lists ${json.ids.length} entries, but there are ${all.length} records.`;
      });
      return { skeleton: json.built ? readSkeleton(reader, 'skeleton/', json.dRes) : null, records: all };
    });
    Object.assign(this.options, json.options);
    this.#skeleton = skeleton;
    this.#records.clear();
    json.ids.forEach((id, i) => {
      this.#records.set(id, records[i] as unknown as SparseCode);
    });
    [this.#totalEncoded, this.#totalDecoded, this.#skeletonBuilds] = json.counters;
  }

  #active(): Skeleton {
    expect(
      this.#skeleton !== null,
      () => 'The codec has no skeleton yet; build it from enough entries first.',
    );
    return this.#skeleton;
  }

  #learn(rows: Matrix): Skeleton {
    expectFiniteRows(rows, 'SingleSetCodec');
    const { varianceRatio, K, dRes } = this.options;
    const { basis, mean } = computePca(rows, varianceRatio);
    const coefficients = timesTransposed(centred(rows, mean), basis);
    const tDir = directionOfMean(coefficients);
    const directions = perpendicularDirections(coefficients, tDir);
    const centers =
      directions.rows > 0
        ? sphericalKMeans(directions, K).centers
        : matrix(1, basis.rows, unit(basis.rows, basis.rows - 1));
    return skeletonFrom({ basis, mean, tDir, centers, dRes });
  }
}

/** Normalised mean of the centred coefficients, or the first unit vector where that mean is rounding noise. */
function directionOfMean(coefficients: Matrix): Float64Array {
  const mean = new Float64Array(coefficients.cols);
  coefficients.data.forEach((value, i) => {
    mean[i % coefficients.cols]! += value / coefficients.rows;
  });
  const length = norm(mean);
  return length > 1e-8 ? mean.map((x) => x / length) : unit(coefficients.cols, 0);
}

function unit(length: number, index: number): Float64Array {
  const result = new Float64Array(length);
  result[index] = 1;
  return result;
}
