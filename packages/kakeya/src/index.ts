export { type AccountingParams, type AccountingRow, accounting } from './accounting.js';
export {
  alignmentError,
  axisFidelity,
  projectIntoPca,
  pushforward,
  solveAlignedTDir,
} from './alignment.js';
export {
  type CodecGradient,
  codecGradient,
  type DirectionGradient,
  directionGradient,
  reconstructionLoss,
} from './codec-gradient.js';
export { CompressedIndex, decodedNorm, type SearchHit, type SearchMetric } from './compressed-index.js';
export { CompressedStore, type CompressedStoreOptions } from './compressed-store.js';
export {
  type BundleName,
  bundleNames,
  type KakeyaConfig,
  type KakeyaConfigInput,
  kakeyaConfig,
  kakeyaConfigSchema,
  presets,
} from './config.js';
export {
  clusteredVectors,
  powerLawVectors,
  rankEightVectors,
  type SyntheticOptions,
  type VectorSplit,
} from './datasets.js';
export { KakeyaError } from './errors.js';
export type { Slice } from './field-scaling.js';
export { hashedSentences } from './hashed-sentences.js';
export { IncrementalPca } from './incremental-pca.js';
export { KakeyaCodecV4 } from './kakeya-codec.js';
export { KakeyaHandle } from './kakeya-handle.js';
export { KakeyaRegistry, type RegistryBuildOptions } from './kakeya-registry.js';
export { KakeyaSet, type SetBuildOptions, type SetBuildReport, type SetState } from './kakeya-set.js';
export { LevelTable } from './level-table.js';
export { lloydMaxDistortion, lloydMaxLevels } from './lloyd-max.js';
export { type FloatArray, type Matrix, matrix, matrixFromRows, rowOf } from './matrix.js';
export type { MemorySample, PerBundle } from './memory-samples.js';
export { computePca, type Pca, type RankRule } from './pca.js';
export { PcaInt8Coder } from './pca-int8-coder.js';
export { ProductQuantiser } from './product-quantiser.js';
export { Random } from './random.js';
export {
  type CoderSpec,
  coderSpecs,
  quantile,
  type RateDistortionOptions,
  type RateDistortionRow,
  rateDistortion,
  type SparseSpec,
  type TrainedCoder,
} from './rate-distortion.js';
export { rateDistortionSvg, rateDistortionTable } from './rate-distortion-report.js';
export {
  type CodedVec,
  type CompressedVec,
  packRecord,
  type RecordFormat,
  recordBytes,
  type SparseCode,
  type SparseVec,
  unpackRecord,
} from './record.js';
export { type RefitOptions, refitCode } from './refit.js';
export type { BundleAxes, MapOrigin } from './registry-build.js';
export type { RegistrySetStats, RegistryStats } from './registry-stats.js';
export { ridgeMap } from './ridge-map.js';
export { defaultRouting, mapKey, type RoutingEntry } from './routing.js';
export type { SetStats } from './set-stats.js';
export {
  type EntryId,
  SingleSetCodec,
  type SingleSetOptions,
  type SingleSetStats,
} from './single-set-codec.js';
export { type Skeleton, skeletonFrom } from './skeleton.js';
export { coefficientsOf, decodeSparseRows, encodeSparseRows, type SparseEncoding } from './sparse-codec.js';
export { type SphericalKMeans, type SphericalKMeansOptions, sphericalKMeans } from './spherical-kmeans.js';
export { TransformCoder } from './transform-coder.js';
export type { TransformCode, TransformOptions, TransformState } from './transform-state.js';
export { Trellis, type TrellisStates } from './trellis.js';
export { TrellisCoder, type TrellisLayout, type TrellisOptions, type TrellisState } from './trellis-coder.js';
export type { CoderTensor, VectorCoder } from './vector-coder.js';
export { waterfill } from './waterfill.js';
