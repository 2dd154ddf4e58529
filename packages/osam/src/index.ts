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
export {
  type AblationCell,
  type AblationFigure,
  type AblationOptions,
  type AblationReport,
  type AblationRow,
  type AblationStore,
  ablate,
  ablationMarkdown,
} from './evaluation/ablate.js';
export {
  evaluateOsam,
  evaluationMarkdown,
  type OsamEvaluation,
  type OsamEvaluationOptions,
  splitHeldOut,
} from './evaluation/evaluate.js';
export { type DecodeSpeed, measureSpeed, type SpeedOptions, type SpeedReport } from './evaluation/speed.js';
export {
  comparisonVariants,
  improvementAblations,
  referenceAblations,
  type Variant,
} from './evaluation/variants.js';
export { complexDft } from './feature/complex-dft.js';
export { chooseForm } from './feature/index.js';
export { type FitOptions, type FitResult, type FitSource, fit } from './fit.js';
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
export {
  type RetrievalTask,
  type TaskBatch,
  type TaskExample,
  TaskSource,
  taskBatch,
} from './tasks/retrieval-task.js';
export { scoreTask, type TaskScore } from './tasks/score-task.js';
export {
  associativeRecall,
  type NeedleTaskOptions,
  type RecallOptions,
  randomNeedle,
  type SelectiveCopyOptions,
  selectiveCopy,
} from './tasks/tasks.js';
export type { BlockTelemetry } from './telemetry.js';
export { createTrainStep, type TrainInputs, type TrainOutputs, type TrainStepOptions } from './train-step.js';
export { type WindowBatch, WindowLoader, type WindowLoaderOptions } from './window-loader.js';
