import { trainCoder } from '../coders/coders.js';
import { TransformCoder } from '../coders/transform-coder.js';
import { TrellisCoder } from '../coders/trellis-coder.js';
import type { VectorCoder } from '../coders/vector-coder.js';
import { kakeyaConfig } from '../config.js';
import { expect } from '../errors.js';
import { type FloatArray, type Matrix, rowOf } from '../linalg/matrix.js';
import { Random } from '../linalg/random.js';
import { relativeError } from '../set/field-scaling.js';
import { recordBytes } from '../set/record.js';
import { buildSkeleton, type Skeleton, skeletonFloats } from '../set/skeleton.js';
import { decodeSparseRows, encodeSparseRows } from '../set/sparse-codec.js';

/** One way to compress, in a comparison. */
export interface CoderSpec {
  readonly name: string;
  /** Learns from rows [n, D] and an axis [D]; returns what codes held-out rows. */
  train(x: Matrix, axis: FloatArray): TrainedCoder;
}

export interface TrainedCoder {
  readonly bytesPerVec: number;
  readonly skeletonBytes: number;
  /** Decoded form of the code of each row. */
  roundTrip(rows: Matrix): FloatArray[];
}

export interface RateDistortionRow {
  readonly coder: string;
  readonly bytesPerVec: number;
  /** Median and 95th percentile of |v - decoded| / |v| over the test rows. */
  readonly median: number;
  readonly p95: number;
  readonly skeletonBytes: number;
  /** Original over compressed bytes when n vectors share the skeleton. */
  readonly ratioAtN: number;
}

export interface RateDistortionOptions {
  /** Axis in field space that sets are aligned to; default a seeded random direction. */
  readonly axis?: FloatArray;
  /** Vectors that share a skeleton, for `ratioAtN`; default the number of training rows. */
  readonly n?: number;
}

/** Trains every coder on `train` and measures it on `test`; one row each, in the order given. */
export function rateDistortion(
  train: Matrix,
  test: Matrix,
  coders: readonly CoderSpec[],
  options: RateDistortionOptions = {},
): RateDistortionRow[] {
  expect(test.rows > 0 && test.cols === train.cols, () => {
    return `rateDistortion: ${test.rows} test rows of ${test.cols} columns for training rows of ${train.cols}; give at least one of equal width.`;
  });
  const axis = options.axis ?? new Random(0).normals(train.cols);
  const n = options.n ?? train.rows;
  return coders.map((spec) => {
    const coder = spec.train(train, axis);
    const errors = coder.roundTrip(test).map((decoded, i) => relativeError(rowOf(test, i), decoded));
    return {
      coder: spec.name,
      bytesPerVec: coder.bytesPerVec,
      median: quantile(errors, 0.5),
      p95: quantile(errors, 0.95),
      skeletonBytes: coder.skeletonBytes,
      ratioAtN: (4 * train.cols * n) / (coder.skeletonBytes + n * coder.bytesPerVec),
    };
  });
}

/** Quantile with linear interpolation between order statistics. Throws on no values. */
export function quantile(values: readonly number[], q: number): number {
  expect(values.length > 0, () => 'A quantile needs at least one value.');
  const sorted = [...values].sort((a, b) => a - b);
  const position = q * (sorted.length - 1);
  const low = Math.floor(position);
  const high = Math.min(low + 1, sorted.length - 1);
  return sorted[low]! + (position - low) * (sorted[high]! - sorted[low]!);
}

function fromVectorCoder(coder: VectorCoder): TrainedCoder {
  return {
    bytesPerVec: coder.bytesPerVec,
    skeletonBytes: coder.skeletonBytes,
    roundTrip: (rows) =>
      Array.from({ length: rows.rows }, (_, i) => coder.decode(coder.encode(rowOf(rows, i)))),
  };
}

/** A sparse record over a given or freshly built parity skeleton. */
export interface SparseSpec {
  readonly encoder: 'parity' | 'refit';
  readonly kakeyaK?: number;
  readonly kakeyaDRes?: number;
  readonly kakeyaVarianceRatio?: number;
  /** Uses this skeleton instead of building one. */
  readonly skeleton?: Skeleton;
}

/** The coders that a comparison is made of. */
export const coderSpecs = {
  /** The reference's record, encoded in one pass or refitted; 12 + 8 dRes bytes. */
  sparse(spec: SparseSpec): CoderSpec {
    const { kakeyaK, kakeyaDRes, kakeyaVarianceRatio } = spec;
    const config = kakeyaConfig({
      mode: 'parity',
      assignment: 'signed',
      skeletonDtype: 'f32',
      kakeyaK,
      kakeyaDRes,
      kakeyaVarianceRatio,
    });
    return {
      name: `kakeya ${spec.encoder}`,
      train(x, axis) {
        const skeleton = spec.skeleton ?? buildSkeleton(x, axis, config).skeleton;
        const encoding = { encoder: spec.encoder, assignment: 'signed' } as const;
        return {
          bytesPerVec: recordBytes(skeleton, 'reference'),
          skeletonBytes: 4 * skeletonFloats(skeleton.dEff, skeleton.basis.cols, skeleton.K),
          roundTrip(rows) {
            const decoded = decodeSparseRows(encodeSparseRows(rows, skeleton, encoding), skeleton);
            return Array.from({ length: rows.rows }, (_, i) => rowOf(decoded, i));
          },
        };
      },
    };
  },
  transform(bytesPerVec: number, k = 64): CoderSpec {
    return {
      name: 'transform',
      train: (x, axis) => fromVectorCoder(TransformCoder.train(x, axis, { bytesPerVec, k })),
    };
  },
  trellis(bytesPerVec: number, k = 64): CoderSpec {
    return {
      name: 'trellis',
      train: (x, axis) => fromVectorCoder(TrellisCoder.train(x, axis, { bytesPerVec, k })),
    };
  },
  pcaInt8(bytesPerVec: number): CoderSpec {
    return baseline('pca-int8', bytesPerVec);
  },
  productQuantiser(bytesPerVec: number): CoderSpec {
    return baseline('pq', bytesPerVec);
  },
};

function baseline(coder: 'pca-int8' | 'pq', bytesPerVec: number): CoderSpec {
  const config = kakeyaConfig({ coder, bytesPerVec });
  return { name: coder, train: (x, axis) => fromVectorCoder(trainCoder(x, axis, config)!) };
}
