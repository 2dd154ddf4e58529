export {
  type AttentionCache,
  type AttentionShape,
  createAttentionCache,
} from './attention-cache.js';
export { canonicalJson } from './canonical-json.js';
export type { Decided } from './decided.js';
export type { DecodingExports } from './decoding-exports.js';
export {
  DecodingKernels,
  drawingKernels,
  hasDecodingKernels,
  type Place,
  type StoredBits,
  type StoredMatrix,
} from './decoding-kernels.js';
export { EngineError, InputError, PalimpsestError, TraceError } from './errors.js';
export { readBytes, writeFileAtomically } from './files/atomic-file.js';
export { readRegularFile, requireRegularFile } from './files/regular-file.js';
export * from './files/safetensors-files.js';
export * from './files/sharded-safetensors.js';
export { isSystemError, systemReason } from './files/system-error.js';
export * from './float-formats.js';
export { fnv1a, hex32 } from './fnv1a.js';
export { FIRST_BYTES, foreignCause } from './foreign-cause.js';
export { parseJson } from './lenient-json.js';
export { machineMemory, requireMemory } from './memory.js';
export * from './ndarray.js';
export { nodeModule } from './node-modules.js';
export * from './random.js';
export * from './safetensors.js';
export {
  type HeadScores,
  isTransformed,
  planTransform,
  TILE,
  type Transform,
} from './spectrum-kernels.js';
export * from './statistics.js';
export { formatBytes, formatNumber } from './text/format.js';
export { type Alignment, textTable } from './text/table.js';
export { displayWidth, wrapLine } from './text/wrap.js';
export * from './tree.js';
export {
  type SharedWasmKernels,
  sharedWasmKernels,
  type WasmMemory,
  wasmKernels,
} from './wasm-kernels.js';
