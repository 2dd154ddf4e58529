export { LevelTable } from './coders/level-table.js';
export { lloydMaxDistortion, lloydMaxLevels } from './coders/lloyd-max.js';
export { PcaInt8Coder } from './coders/pca-int8-coder.js';
export { ProductQuantiser } from './coders/product-quantiser.js';
export { TransformCoder } from './coders/transform-coder.js';
export type { TransformCode, TransformOptions, TransformState } from './coders/transform-state.js';
export { Trellis, type TrellisStates } from './coders/trellis.js';
export {
  TrellisCoder,
  type TrellisLayout,
  type TrellisOptions,
  type TrellisState,
} from './coders/trellis-coder.js';
export type { CoderTensor, VectorCoder } from './coders/vector-coder.js';
export { waterfill } from './coders/waterfill.js';
export {
  type BundleName,
  bundleNames,
  type KakeyaConfig,
  type KakeyaConfigInput,
  kakeyaConfig,
  kakeyaConfigSchema,
  presets,
} from './config.js';
export { KakeyaError } from './errors.js';
export { CompressedStore, type CompressedStoreOptions } from './files/compressed-store.js';
export { IncrementalPca } from './linalg/incremental-pca.js';
export { type FloatArray, type Matrix, matrix, matrixFromRows, rowOf } from './linalg/matrix.js';
export { computePca, type Pca, type RankRule } from './linalg/pca.js';
export { Random } from './linalg/random.js';
export { ridgeMap } from './linalg/ridge-map.js';
export {
  type SphericalKMeans,
  type SphericalKMeansOptions,
  sphericalKMeans,
} from './linalg/spherical-kmeans.js';
export {
  clusteredVectors,
  powerLawVectors,
  rankEightVectors,
  type SyntheticOptions,
  type VectorSplit,
} from './measure/datasets.js';
export { hashedSentences } from './measure/hashed-sentences.js';
export {
  type CoderSpec,
  coderSpecs,
  quantile,
  type RateDistortionOptions,
  type RateDistortionRow,
  rateDistortion,
  type SparseSpec,
  type TrainedCoder,
} from './measure/rate-distortion.js';
export { rateDistortionSvg, rateDistortionTable } from './measure/rate-distortion-report.js';
export { KakeyaCodecV4 } from './registry/kakeya-codec.js';
export { KakeyaHandle } from './registry/kakeya-handle.js';
export { KakeyaRegistry, type RegistryBuildOptions } from './registry/kakeya-registry.js';
export type { MemorySample, PerBundle } from './registry/memory-samples.js';
export type { BundleAxes, MapOrigin } from './registry/registry-build.js';
export type { RegistrySetStats, RegistryStats } from './registry/registry-stats.js';
export { defaultRouting, mapKey, type RoutingEntry } from './registry/routing.js';
export {
  CompressedIndex,
  decodedNorm,
  type SearchHit,
  type SearchMetric,
} from './search/compressed-index.js';
export { type AccountingParams, type AccountingRow, accounting } from './set/accounting.js';
export {
  alignmentError,
  axisFidelity,
  projectIntoPca,
  pushforward,
  solveAlignedTDir,
} from './set/alignment.js';
export {
  type CodecGradient,
  codecGradient,
  type DirectionGradient,
  directionGradient,
  reconstructionLoss,
} from './set/codec-gradient.js';
export type { Slice } from './set/field-scaling.js';
export { KakeyaSet, type SetBuildOptions, type SetBuildReport, type SetState } from './set/kakeya-set.js';
export {
  type CodedVec,
  type CompressedVec,
  packRecord,
  type RecordFormat,
  recordBytes,
  type SparseCode,
  type SparseVec,
  unpackRecord,
} from './set/record.js';
export { type RefitOptions, refitCode } from './set/refit.js';
export type { SetStats } from './set/set-stats.js';
export {
  type EntryId,
  SingleSetCodec,
  type SingleSetOptions,
  type SingleSetStats,
} from './set/single-set-codec.js';
export { type Skeleton, skeletonFrom } from './set/skeleton.js';
export {
  coefficientsOf,
  decodeSparseRows,
  encodeSparseRows,
  type SparseEncoding,
} from './set/sparse-codec.js';
