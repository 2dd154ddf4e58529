import { skeletonOfCoder, trainCoder } from '../coders/coders.js';
import type { VectorCoder } from '../coders/vector-coder.js';
import {
  type BundleName,
  bundleNames,
  type KakeyaConfig,
  type KakeyaConfigInput,
  kakeyaConfig,
} from '../config.js';
import { expect } from '../errors.js';
import { expectFiniteRows, expectVector } from '../linalg/checks.js';
import { type FloatArray, type Matrix, matrix, rowOf } from '../linalg/matrix.js';
import { withoutOutliers } from '../linalg/robust-rows.js';
import { alignmentError, axisFidelity, projectIntoPca } from './alignment.js';
import { BatchEncoder } from './batch-encoder.js';
import { rescale, rmsScale, type Slice, unscaled, unscaledRows } from './field-scaling.js';
import { type CodedVec, type CompressedVec, expectCodeFits, type SparseCode } from './record.js';
import { type SetStats, setStats } from './set-stats.js';
import { buildSkeleton, type Skeleton } from './skeleton.js';
import { decodeSparseRows } from './sparse-codec.js';

export interface SetBuildOptions {
  /** Columns of each concatenated field; default one field over all columns. */
  readonly slices?: readonly Slice[];
  /** Number of this build, carried by every record; default one more than the last. */
  readonly epoch?: number;
  /** Builds on a single row too. Default false; parity mode always does. */
  readonly force?: boolean;
}

/** What a build found out about the axis. */
export interface SetBuildReport {
  /** 1 when the PCA space cannot see the axis at all, otherwise 0. */
  readonly solveError: number;
  /** Share of the axis that the PCA space can see, |B a| / |a|. */
  readonly fidelity: number;
  /** Rows that were left out of the build because they are far longer than the others. */
  readonly outliers: number;
}

/** Everything a built set decodes with. */
export interface SetState {
  readonly skeleton: Skeleton;
  /** Null for sparse records. */
  readonly coder: VectorCoder | null;
  /** Factor of every column, or null without field scaling. */
  readonly scale: Float32Array | null;
  readonly slices: readonly Slice[];
  readonly epoch: number;
}

/** One family of vectors: a skeleton learned from rows, and the code of single vectors with it (DERIVATION.md, "Builds and outliers"). */
export class KakeyaSet {
  readonly setIdx: number;
  readonly ownerBundleName: BundleName;
  readonly compressedFields: readonly string[];
  readonly config: KakeyaConfig;
  #state: SetState | null = null;
  /** Made by the first batch of a build. */
  #encoder: BatchEncoder | null = null;
  #encoded = 0;

  constructor(
    setIdx: number,
    owner: BundleName,
    fields: readonly string[],
    config: KakeyaConfigInput | KakeyaConfig = {},
  ) {
    expect(bundleNames.includes(owner), () => {
      return `Kakeya set ${setIdx}: the owner is "${owner}"; it must be one of ${bundleNames.join(', ')}.`;
    });
    expect(fields.length > 0 && fields.every((field) => typeof field === 'string' && field !== ''), () => {
      return `Kakeya set ${setIdx}: the fields must be at least one non-empty name.`;
    });
    this.setIdx = setIdx;
    this.ownerBundleName = owner;
    this.compressedFields = [...fields];
    this.config = kakeyaConfig(config);
  }

  /** True once a skeleton is present. */
  get isActive(): boolean {
    return this.#state !== null;
  }
  get skeleton(): Skeleton | null {
    return this.#state?.skeleton ?? null;
  }
  get coder(): VectorCoder | null {
    return this.#state?.coder ?? null;
  }
  get state(): SetState | null {
    return this.#state;
  }
  /** Number of the build; 0 before the first. */
  get epoch(): number {
    return this.#state?.epoch ?? 0;
  }

  /**
   * Learns from rows [N, D] and the owner's axis in field space [D]. Outside of parity mode, rows far longer than the others
   * teach nothing, so that they cannot spoil the code of all others; the report counts them. Throws on NaN (naming the row), a wrong axis
   * length or fewer than two rows; the set is then as it was.
   */
  build(vecs: Matrix, axisInField: FloatArray, options: SetBuildOptions = {}): SetBuildReport {
    const where = `Kakeya set ${this.setIdx} (${this.compressedFields.join(' + ')})`;
    const fewest = options.force || this.config.mode === 'parity' ? 1 : 2;
    expect(vecs.rows >= fewest && vecs.cols >= 1, () => {
      return `${where}: a build needs at least ${fewest} rows of at least one column, got ${vecs.rows} x ${vecs.cols}; collect more or pass force.`;
    });
    expectFiniteRows(vecs, where);
    expectVector(axisInField, vecs.cols, `${where}: the axis in field space`);
    const slices = options.slices ?? [[0, vecs.cols] as const];
    const scale = this.config.fieldScaling === 'rms' ? rmsScale(vecs, slices) : null;
    const rows = scale === null ? vecs : unscaledRows(vecs, scale);
    const axis = unscaled(axisInField, scale);
    const taught = this.config.mode === 'parity' ? rows : withoutOutliers(rows);
    const coder = rows.rows >= 2 ? trainCoder(taught, axis, this.config) : null;
    const own = coder === null ? null : skeletonOfCoder(coder);
    const built = own === null ? buildSkeleton(taught, axis, this.config) : { skeleton: own, solveError: 0 };
    const epoch = options.epoch ?? this.epoch + 1;
    this.restore({ skeleton: built.skeleton, coder, scale, slices, epoch });
    const fidelity = axisFidelity(axis, built.skeleton.basis);
    const solveError = fidelity < 1e-8 ? 1 : built.solveError;
    return { solveError, fidelity, outliers: rows.rows - taught.rows };
  }

  /** Adopts a saved state. */
  restore(state: SetState): void {
    this.#state = state;
    this.#encoder = null;
    this.#encoded = 0;
  }

  /** Record of one vector [D]. Throws on another length, non-finite numbers or before a build. */
  encode(v: FloatArray): CompressedVec {
    const d = this.#built().skeleton.basis.cols;
    expectVector(v, d, `The vector for Kakeya set ${this.setIdx}`);
    return this.encodeBatch(matrix(1, d, Float64Array.from(v)))[0]!;
  }

  /** Records of rows [n, D]; the same numbers as {@link encode} row by row. */
  encodeBatch(vecs: Matrix): CompressedVec[] {
    const state = this.#built();
    const d = state.skeleton.basis.cols;
    expect(vecs.cols === d, () => {
      return `The rows for Kakeya set ${this.setIdx} have ${vecs.cols} columns where ${d} were expected.`;
    });
    this.#encoder ??= new BatchEncoder(this.setIdx, state, this.config);
    const records = this.#encoder.encode(vecs);
    this.#encoded += records.length;
    return records;
  }

  /** The vector [D] of one record. Throws on a record of another set or, in improved mode, of another build. */
  decode(record: CompressedVec): Float32Array {
    return rowOf(this.decodeBatch([record]), 0) as Float32Array;
  }

  /** Rows [n, D] of records. */
  decodeBatch(records: readonly CompressedVec[]): Matrix<Float32Array> {
    const state = this.#built();
    for (const record of records) this.expectOwn(record);
    if (state.coder === null) {
      const rows = decodeSparseRows(records as readonly (CompressedVec & SparseCode)[], state.skeleton);
      for (let i = 0; i < rows.rows; i++) rescale(rowOf(rows, i), state.scale);
      return rows;
    }
    const result = state.coder.decodeRows(records.map((record) => (record as CodedVec).bytes));
    if (state.scale !== null) for (let i = 0; i < result.rows; i++) rescale(rowOf(result, i), state.scale);
    return result;
  }

  /** | tDir - B axis / |B axis| |: 0 when the aligned direction is where the axis projects to. */
  verifyAlignment(axisInField: FloatArray): number {
    const { skeleton, scale } = this.#built();
    return alignmentError(skeleton.tDir, projectIntoPca(unscaled(axisInField, scale), skeleton.basis));
  }

  /** Share of the axis that the PCA space can see, 0 ... 1. */
  fidelity(axisInField: FloatArray): number {
    const { skeleton, scale } = this.#built();
    return axisFidelity(unscaled(axisInField, scale), skeleton.basis);
  }

  /** Bytes before and after for `n` records; default: those encoded since the build. */
  stats(n = this.#encoded): SetStats {
    return setStats(this, n);
  }

  #built(): SetState {
    expect(this.#state !== null, () => {
      return `Kakeya set ${this.setIdx} (${this.compressedFields.join(' + ')}) has no skeleton yet; call build first.`;
    });
    return this.#state;
  }

  /** Throws unless a record was made by this set and build, and has the form that it decodes. */
  expectOwn(record: CompressedVec): void {
    const state = this.#built();
    expect(record.setIdx === this.setIdx, () => {
      return `The record belongs to Kakeya set ${record.setIdx}, not to set ${this.setIdx}.`;
    });
    expect(this.config.mode === 'parity' || record.epoch === state.epoch, () => {
      return `The record was made by build ${record.epoch} of Kakeya set ${this.setIdx}, which now has build ${state.epoch}; migrate its handle first.`;
    });
    expect((record.kind === 'bytes') === (state.coder !== null), () => {
      return `The record holds ${record.kind === 'bytes' ? 'bytes' : 'a sparse code'}, but Kakeya set ${this.setIdx} uses the ${this.config.coder} coder.`;
    });
    if (record.kind === 'sparse') expectCodeFits(record, state.skeleton);
  }
}
