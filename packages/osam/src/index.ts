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
export {
  CharacterVocabulary,
  defaultCorpus,
  externalCorpus,
  type NeedleOptions,
  needleCorpus,
} from './corpora.js';
export { type DropoutSource, givenMasks, keyedMasks } from './dropout-source.js';
export { complexDft } from './feature/complex-dft.js';
export { type ComputeProfile, chooseForm } from './feature/index.js';
export { type GeneratedToken, type GenerateOptions, OsamGenerator, type PrimedPrompt } from './generate.js';
export type { MemoryInput, MemoryOutput, MemoryReader } from './memory.js';
export { createOsamModel, type OsamForwardContext, type OsamForwardResult, type OsamModel } from './model.js';
export { readDense } from './naive.js';
export {
  type BlockParams,
  initBlock,
  initParameters,
  type OsamParams,
  parameterCount,
} from './parameters.js';
export * from './parity/index.js';
export { positionAngle } from './position-angle.js';
export { presets, spreadDecays } from './presets.js';
export {
  fromReferenceTensors,
  type NamedTensors,
  referenceKey,
  tablesFromReference,
  toReferenceTensors,
} from './reference-keys.js';
export { drawId, greedyId, type SamplingOptions, samplingProbabilities } from './sampling.js';
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
export { createTrainStep, type TrainInputs, type TrainOutputs, type TrainStepOptions } from './train-step.js';
export { type WindowBatch, WindowLoader, type WindowLoaderOptions } from './window-loader.js';
