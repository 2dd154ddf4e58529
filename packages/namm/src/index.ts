export {
  type NAMMConfig,
  type NAMMOptions,
  type NonLinearity,
  nammConfigSchema,
  resolveNAMMConfig,
  type SeedOptions,
} from './config.js';
export { recallPolicyOf } from './contender/namm-contender.js';
export { type Selection, type SelectionRule, selectTokens } from './eviction/select.js';
export { CmaEs, type CmaEsOptions, type CmaEsStats } from './evolution/cma-es/cma-es.js';
export type { CmaEsState } from './evolution/cma-es/cma-es-state.js';
export type { CovarianceKind, LearningRates } from './evolution/cma-es/strategy.js';
export { convertParameters, evolutionConfig } from './evolution/convert-parameters.js';
export { type EvaluateOptions, evaluateNamm, type NammEvaluation } from './evolution/evaluate.js';
export type * from './evolution/evolution-event.js';
export { type EvolutionState, loadEvolution, saveEvolution } from './evolution/evolution-file.js';
export { type EvolveOptions, evolveNamm, loadLatest } from './evolution/evolve.js';
export { type Fitness, fitnessOf } from './evolution/fitness.js';
export { type EvolvedPolicy, loadPolicy, savePolicy } from './evolution/policy-file.js';
export { InProcessRunner } from './evolution/population/in-process-runner.js';
export { type PopulationModel, populationModel } from './evolution/population/population-model.js';
export { ProcessRunner, type ProcessRunnerOptions } from './evolution/population/process-runner.js';
export { type EvolutionOptions, type EvolutionSettings, evolutionSchema } from './evolution/settings.js';
export type { Stage } from './evolution/stage.js';
export type { EvolutionTask, Split, TaskSample } from './evolution/tasks/evolution-task.js';
export { FACT_CHARACTERS } from './evolution/tasks/planted-facts.js';
export { parseRecords, recordTask, type TaskRecord } from './evolution/tasks/record-task.js';
export { bestScore, textMetrics } from './evolution/tasks/text-metrics.js';
export {
  type WrittenTaskOptions,
  writtenTask,
  writtenTaskNames,
} from './evolution/tasks/written-tasks.js';
export { recalibrate, transferNamm, transferredPolicy } from './evolution/transfer.js';
export type {
  PopulationReply,
  PopulationRequest,
  PopulationRunner,
  Trial,
  TrialOutcome,
} from './evolution/trial.js';
export { softPolicyModel, type WarmStartOptions, warmStart } from './evolution/warm-start.js';
export { groupMean } from './features/attention-rows.js';
export { spectrogram, spectrum, transformMatrix } from './features/spectrum.js';
export {
  emptyStatistics,
  type FeatureStatistics,
  mergeStatistics,
  momentsOf,
  normaliseFeatures,
} from './features/statistics.js';
export { advanceStream, type SpectrumStream } from './features/stream.js';
export { windowWeights } from './features/window.js';
export { inspectionOf as cacheInspection } from './inspect/inspection.js';
export { type ReadText, type ReadTextOptions, readText } from './inspect/read-text.js';
export { type KeyValue, LayerUpdates, type UpdateResult } from './layer-updates.js';
export { ManagedDecoder } from './managed/managed-decoder.js';
export { ManagedTexts } from './managed/managed-texts.js';
export {
  type ManagedReader,
  type ManagedTransformer,
  manageTransformer,
} from './managed/managed-transformer.js';
export { policyModel } from './managed/policy-model.js';
export type { ReadOptions } from './managed/read-options.js';
export type { Schedule } from './managed/schedule.js';
export type { UpdateReport } from './managed/update.js';
export { createNAMM, type NAMM, type NAMMResources } from './namm.js';
export {
  createNAMMTransformer,
  type NAMMTransformer,
  type NAMMTransformerOptions,
  type WriteOptions,
} from './namm-transformer.js';
export { expectedAttentionPolicy } from './policy/expected-attention.js';
export { fullPolicy } from './policy/full.js';
export { keyNormPolicy } from './policy/key-norm.js';
export { lastQueryPolicy } from './policy/last-query.js';
export { type NAMMParameters, nammPolicy } from './policy/namm-policy.js';
export { observedAttentionPolicy } from './policy/observed-attention.js';
export { type PolicyName, policies, policyByName } from './policy/policies.js';
export type { CachePolicy, CacheView, LayerShape, Piece, PolicyState } from './policy/policy.js';
export { randomPolicy } from './policy/random.js';
export { recencyPolicy } from './policy/recency.js';
export type { Budget, Protection, Retention } from './policy/retention.js';
export { sinksPolicy } from './policy/sinks.js';
export { windowAttentionPolicy } from './policy/window-attention.js';
export type { RetentionSummary } from './retention-summary.js';
export { foldedVector, foldParameters } from './scorer/folded.js';
export { type Part, parameterCount, scorerParts } from './scorer/layout.js';
export { prepareParameters, scoreTokens } from './scorer/score-tokens.js';
export type { SeedCache } from './seed-sequence.js';
