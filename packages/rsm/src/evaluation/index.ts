export {
  type ArchitectureAblation,
  type ArchitectureGrid,
  ablateArchitecture,
  ablateMemory,
} from './ablations.js';
export { type AnswerAccuracy, type AnswerAccuracyOptions, answerAccuracy } from './answer-accuracy.js';
export {
  AnswerBatches,
  type AnswerBatchesOptions,
  type AnswerTask,
  type Question,
} from './answer-task.js';
export { type ChainOptions, chainTask } from './chain-task.js';
export { type ContextGain, type ContextGainOptions, measureContextGain } from './context-gain.js';
export { evaluateRsm, type RsmReport, type RsmSuiteOptions, type TaskReport } from './evaluate-rsm.js';
export { type GateHistogram, gateHistogram } from './gate-histogram.js';
export { halfLife } from './half-life.js';
export { interventions } from './interventions.js';
export { checkLeak, type LeakAtPosition, type LeakCheck, type LeakCheckOptions } from './leak-check.js';
export { LEAK_VOCABULARY, LeakToy, trainOnLeakToy } from './leak-toy.js';
export { type ProbeOptions, type ProbeResult, probeMemory } from './memory-probe.js';
export { type HostState, type Intervention, MemoryStream, type ReadChunk } from './memory-stream.js';
export { type NeedleTaskOptions, needleTask } from './needle-task.js';
export { type Proportion, proportion } from './proportion.js';
export { type RecallProbe, type RecallProbeOptions, recallProbe } from './recall-probe.js';
export { measureRetention, type Percentiles, type Retention, type RetentionOptions } from './retention.js';
export { type RetrievalOptions, retrievalTask } from './retrieval-task.js';
export type { SuiteSize } from './suite-sizes.js';
export { type TaskTraining, type TrainedOnTask, trainOnTask } from './train-on-task.js';
