export {
  allocate,
  type DataOf,
  type DType,
  decodeSafetensors,
  EngineError,
  encodeSafetensors,
  formatShape,
  fromNDArray,
  full,
  headerLength,
  InputError,
  isBranch,
  isNDArray,
  type LeafEntry,
  type MapLeaves,
  type NDArray,
  ndarray,
  openSharded,
  overwriteRows,
  PalimpsestError,
  parseHeader,
  Rng,
  type RngState,
  readSafetensors,
  type SafeData,
  type SafeDType,
  type SafeEntry,
  type SafeHeader,
  type SafeTensor,
  type SafeTensors,
  SafetensorsFile,
  type ShardedSafetensors,
  safetensorsChunks,
  sizeOf,
  TraceError,
  type Tree,
  type TypedArray,
  tensorFromBuffer,
  toNDArray,
  treeLeaves,
  treeMap,
  treeToRecord,
  treeZip,
  writeFileAtomically,
  writeSafetensors,
  zeros,
} from '@palimpsest/base';
export { onBusy, whileBusy } from './busy.js';
export { conditional } from './conditional.js';
export { createEngine, type EngineOptions, engineNames, probeEngines } from './create-engine.js';
export { DeviceArray } from './device-array.js';
export { disposeTree, isOnDevice, runOnce, takeToHost, toHost } from './device-tree.js';
export type * from './engine.js';
export * from './gradient.js';
export * from './initializers.js';
export { keyedUniform } from './keyed-uniform.js';
export * from './nn/index.js';
export {
  type ExternalFile,
  LARGEST_MODEL,
  type OnnxModel,
  type OnnxValue,
  type ToOnnxOptions,
  toOnnx,
} from './onnx/to-onnx.js';
export * from './op.js';
export * from './optim/index.js';
export { scan } from './scan.js';
export { StoredArray, type StoredDType } from './stored-array.js';
export { tf } from './tf.js';
export { tracedKernels } from './trace/backend.js';
export * as emit from './trace/emit.js';
export type { AttributeValue, GraphBuilder, OutputSpec, Value, ValueDType } from './trace/graph.js';
