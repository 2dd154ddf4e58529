export { type AdvanceResult, advance } from './advance.js';
export {
  type AttentionResult,
  causalSelfAttention,
  chunkMask,
  crossAttention,
  type SelfAttentionOptions,
  scaledDotAttention,
} from './attention.js';
export {
  type BlockConfig,
  type BlockForm,
  type BlockInput,
  type BlockResult,
  blockForward,
} from './block.js';
export * from './checkpoint/index.js';
export { type ChunkLoopOptions, forwardChunks, syncAfterChunk } from './chunk-loop.js';
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
export { CausalDecoder, type CausalDecoderOptions } from './decode.js';
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
export { fastGatedUpdate, foldQueries, writeSummary } from './fast-write.js';
export { type FoldedSlots, foldedCrossAttention, foldRead, readFolded } from './folded-read.js';
export { type GatedUpdateOptions, type GatedUpdateResult, gatedUpdate } from './gated-update.js';
export * from './generation/index.js';
export { globalSync, syncMemory } from './global-sync.js';
export * from './inspect/index.js';
export {
  forwardLegacyChunk,
  initLegacy,
  LEGACY_POSITIONS,
  type LegacyAttentionParams,
  type LegacyBlockParams,
  type LegacyChunkResult,
  type LegacyParams,
  type LegacySyncParams,
  legacyReferenceKey,
  legacySync,
} from './legacy.js';
export { linearScan, type ScanForm } from './linear-scan.js';
export { initialMemory, joinMemory, slotIdentities, splitMemory } from './memory.js';
export { mlp } from './mlp.js';
export { type ChunkOptions, type ChunkResult, embedTokens, forwardChunk, readHead } from './model.js';
export { type ChunksOptions, type ChunksResult, forwardParallel, isParallel } from './parallel.js';
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
export { type StepMaps, type StepResult, step, stepMaps } from './step.js';
export { participationRatio, type RsmTelemetry, rsmTelemetry } from './telemetry.js';
export * from './training/index.js';
export { forwardWavefront, isWavefront } from './wavefront.js';
