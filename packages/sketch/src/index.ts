export type { FloatArray } from './arrays.js';
export { bind, unbind, unitaryKey } from './binding.js';
export {
  type CircularOptions,
  type ConvolutionMethod,
  circularConvolve,
  circularCorrelate,
} from './circular.js';
export { type CompactTable, compactTable } from './compact-table.js';
export { imaginaryPart, realPart, toComplex } from './complex.js';
export { CountSketch, type CountSketchOptions } from './count-sketch.js';
export type { CountSketchJson } from './count-sketch-format.js';
export { Fft, type FftNorm } from './fft.js';
export { type KWiseHash, kWiseHash } from './k-wise-hash.js';
export { Mt19937 } from './mt19937.js';
export { type HeavyHitter, MultiCountSketch, type MultiCountSketchOptions } from './multi-count-sketch.js';
export { type ComplexVector, type PhaseOptions, phaseFeatures, relativeScore } from './phase-features.js';
export {
  createIndependentTables,
  createTable,
  type SketchTable,
  type TableFamily,
  type TableOptions,
} from './sketch-table.js';
export { SpectralAccumulator, type SpectralAccumulatorOptions } from './spectral-accumulator.js';
export { type LoadGroup, type SumBucketPlan, sumBucketPlan } from './sum-bucket-plan.js';
export { TensorSketch, type TensorSketchOptions } from './tensor-sketch.js';
