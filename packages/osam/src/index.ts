export { type BlockContext, type BlockDetail, type BlockResult, blockForward } from './block.js';
export {
  blockConfig,
  type FeatureFormName,
  featureForms,
  modeOptions,
  type OsamConfig,
  type OsamOptions,
  osamConfigSchema,
  resolveConfig,
} from './config.js';
export { type DropoutSource, givenMasks, keyedMasks } from './dropout-source.js';
export { complexDft } from './memory/feature/complex-dft.js';
export { chooseForm } from './memory/feature/index.js';
export type { MemoryInput, MemoryOutput, MemoryReader } from './memory/memory.js';
export { readDense } from './memory/naive.js';
export { createOsamModel, type OsamForwardContext, type OsamForwardResult, type OsamModel } from './model.js';
export {
  type BlockParams,
  initBlock,
  initParameters,
  type OsamParams,
  parameterCount,
} from './parameters.js';
export { positionAngle } from './position-angle.js';
export { presets, spreadDecays } from './presets.js';
export {
  fromReferenceTensors,
  type NamedTensors,
  referenceKey,
  tablesFromReference,
  toReferenceTensors,
} from './reference-keys.js';
export {
  type BlockState,
  compactState,
  type DenseState,
  emptyState,
  expandState,
  type OsamState,
  stateBytesOf,
} from './state.js';
export { type BlockPlan, type BlockTables, createBlockTables, planBlock } from './tables.js';
export type { BlockTelemetry } from './telemetry.js';
