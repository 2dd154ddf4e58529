export {
  type AttentionResult,
  causalSelfAttention,
  chunkMask,
  crossAttention,
  scaledDotAttention,
} from './attention.js';
export * from './checkpoint/index.js';
export {
  isCausal,
  memoryCount,
  memoryOfLayer,
  memoryShape,
  type RsmConfig,
  type RsmOptions,
  resolveConfig,
  rsmConfigSchema,
} from './config.js';
export * from './data/index.js';
export { CausalDecoder, type CausalDecoderOptions } from './decoder/decoder.js';
export {
  type BlockSite,
  type Dropout,
  type DropoutSite,
  givenMasks,
  type KeepMasks,
  keyedDropout,
  noDropout,
} from './dropout-source.js';
export * from './evaluation/index.js';
export { type AdvanceResult, advance } from './forms/advance.js';
export {
  type BlockConfig,
  type BlockForm,
  type BlockInput,
  type BlockResult,
  blockOverChunk,
} from './forms/block-chunk.js';
export { type ChunkOptions, type ChunkResult, embedTokens, forwardChunk, readHead } from './forms/chunk.js';
export { type ChunkLoopOptions, forwardChunks, syncAfterChunk } from './forms/chunks.js';
export { type ChunksOptions, type ChunksResult, forwardParallel, isParallel } from './forms/parallel.js';
export { type StepResult, step } from './forms/step.js';
export * from './generation/index.js';
export * from './inspect.js';
export { forwardLegacyChunk, type LegacyChunkResult, legacySync } from './legacy/chunk.js';
export * from './legacy/parameters.js';
export { fastGatedUpdate, foldQueries, writeSummary } from './memory/fast-write.js';
export { type FoldedSlots, foldedCrossAttention, foldRead, readFolded } from './memory/folded-read.js';
export { type GatedUpdateOptions, type GatedUpdateResult, gatedUpdate } from './memory/gated-update.js';
export { globalSync, syncMemory } from './memory/global-sync.js';
export { linearScan, type ScanForm } from './memory/linear-scan.js';
export { initialMemory, joinMemory, slotIdentities, splitMemory } from './memory/slots.js';
export { mlp } from './mlp.js';
export * from './parameters.js';
export * from './parity/index.js';
export { firstPositions, positionalEncoding, positionTable } from './positional-encoding.js';
export { type PresetName, presetOptions } from './presets.js';
export { fromReferenceTensors, type NamedTensors, referenceKey } from './reference-keys.js';
export {
  createRsmModel,
  formatSummary,
  type RsmModel,
  type RsmSummary,
} from './sequence-model.js';
export {
  type BlockState,
  initialState,
  type PoolState,
  type RsmState,
  stateBytesOf,
} from './state.js';
export { participationRatio, type RsmTelemetry, rsmTelemetry } from './telemetry.js';
export * from './training/index.js';
