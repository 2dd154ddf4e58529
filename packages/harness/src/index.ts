export type { LoraOptions } from '@palimpsest/backbone';
export {
  type Benchmark,
  type BenchmarkCase,
  type BenchmarkOptions,
  type BenchmarkResult,
  formatBenchmarks,
  runBenchmark,
  type Timing,
} from './benchmark/benchmark.js';
export { benchmarks } from './benchmark/benchmarks.js';
export {
  type CatalogueEntry,
  describeEntry,
  formatEntry,
  type OptionDescription,
} from './catalogue.js';
export { canonicalJson } from './cells/canonical-json.js';
export {
  type CellProvenance,
  type CellResult,
  type CellSpec,
  type CellSpecInput,
  cellProvenanceSchema,
  cellResultSchema,
  cellSpecSchema,
} from './cells/cell.js';
export { formatCells } from './cells/cell-table.js';
export type * from './cells/executor.js';
export { expandGrid, type Grid, type GridInput, gridSchema, parseGrid, readGridFile } from './cells/grid.js';
export { type InProcessOptions, inProcessExecutor } from './cells/in-process-executor.js';
export { cellKey, type Versions } from './cells/key.js';
export { cellLabel } from './cells/label.js';
export { type MergeConflict, type MergeSummary, mergeResults } from './cells/merge.js';
export { defaultWorkers, type ProcessExecutorOptions, processExecutor } from './cells/process-executor.js';
export { type QueueExecutorOptions, queueExecutor } from './cells/queue/queue-executor.js';
export {
  type QueueWorkerEvent,
  type QueueWorkerOptions,
  runQueueWorker,
} from './cells/queue/queue-worker.js';
export { accepts, type Cell, resolveCell, resolveCells } from './cells/resolve-cell.js';
export { ResultStore } from './cells/result-store.js';
export { type RunCellOptions, runCell } from './cells/run-cell.js';
export { isInShard, parseShard, type Shard } from './cells/shard.js';
export {
  runSweep,
  type SweepEvent,
  type SweepOptions,
  type SweepStatus,
  type SweepSummary,
} from './cells/sweep.js';
export type { EvaluationRegistry } from './cells/task.js';
export { createRegistry, type PluginCard, type Registry } from './create-registry.js';
export { type Diagnosis, diagnose, formatDiagnosis } from './doctor.js';
export {
  type InspectCheckpointOptions,
  type InspectedCheckpoint,
  inspectCheckpoint,
} from './inspect/inspect-checkpoint.js';
export { inspectionPage } from './inspect/inspection-page.js';
export { mechanisms } from './mechanisms.js';
export { behindReply, withoutEnd } from './models/behind-reply.js';
export {
  type CheckpointDescription,
  describeCheckpoint,
  formatCheckpoint,
} from './models/describe-checkpoint.js';
export { type Description, describeModel, formatPretrained } from './models/describe-model.js';
export { exportAdapters, exportFolder } from './models/export-folder.js';
export {
  type ExportedInput,
  type ExportedModel,
  type ExportOptions,
  exportOnnx,
} from './models/export-onnx.js';
export {
  type LanguageModel,
  modelsOf,
  openCheckpoint,
  openLanguageModel,
  type PretrainedOptions,
  type TextCheckpoint,
  type WeightFormat,
  weightFormats,
} from './models/open-language-model.js';
export { isPretrainedFolder } from './models/pretrained-folder.js';
export { placeOfModel, type ShippedModel, shipped } from './models/shipped.js';
export { byName, nearestName, unknownName } from './names.js';
export { embeddedGoldenFolder } from './parity/golden.js';
export { formatParityReport, type ParityFormat } from './parity/table.js';
export { registryWith } from './plugins/load-plugins.js';
export { type CellPlan, planTime } from './profiles/plan.js';
export { type Profile, profilesOf } from './profiles/profiles.js';
export { standardRegistry } from './registry.js';
export { type ChartSpec, renderChart } from './report/charts/chart.js';
export { type Axes, lineChart, type Series } from './report/charts/line-chart.js';
export { formatMetric, formatNumber } from './report/format.js';
export {
  type CurvePoint,
  exponentialAverage,
  type LearningCurveOptions,
  learningCurveSvg,
  trainingLosses,
} from './report/learning-curve.js';
export { type RenderedPage, renderPage } from './report/page.js';
export { type Alignment, textTable } from './report/table.js';
export { formatDocument } from './report/terminal.js';
export { type WriteReportOptions, writeReport } from './report/write-report.js';
export { renderCsv } from './results/csv.js';
export { type ResultsDocument, resultsDocument, resultsDocumentSchema } from './results/document.js';
export type { AggregatedMetric, Entry, FailedCell, Rate } from './results/entry.js';
export { type Evaluation, noteEvaluation, readEvaluation } from './results/evaluation-file.js';
export { renderMarkdown, renderSummary } from './results/markdown.js';
export { cellVersions } from './results/provenance.js';
export { type MetricsFormat, metricsFormats } from './runs/metrics-files.js';
export { newestRun } from './runs/newest-run.js';
export { createPace, formatDuration } from './runs/pace.js';
export { isOpenOption, openPretrainedStart, type PretrainedStart } from './runs/pretrained-start.js';
export type { AskedOfRun, ResumedRun } from './runs/resume-run.js';
export { learningCurve, RunFolder } from './runs/run-folder.js';
export { measureStep, type NewRun, type TrainRunOptions, trainRun } from './runs/train-run.js';
export { TrainingWatch } from './runs/training-watch.js';
export { type ScoredModel, type ScoreTasksOptions, scoreTasks, type TaskScore } from './score/score-tasks.js';
export { formatScore, type ScoreTextOptions, scoreText } from './score/score-text.js';
export { type JudgedTrial, judgeTrials } from './search/judge.js';
export {
  FIRST_SEARCH_SEED,
  formatSearch,
  planFinals,
  planSearch,
  type SearchPlan,
  searchedTasks,
  searchLog,
} from './search/search.js';
export { drawTrials, SEARCHED_RATES, type Trial } from './search/trials.js';
export { aggregate } from './viability/aggregate.js';
export { askSession } from './viability/ask-session.js';
export { generateSession } from './viability/generate-session.js';
export { largePack } from './viability/large-pack.js';
export { type Pack, standardPack } from './viability/pack.js';
export { loadPocket, type Pocket } from './viability/pocket.js';
export { runViability } from './viability/run-viability.js';
export type { Session, SessionOptions } from './viability/session.js';
export { trainingSessions } from './viability/training-sessions.js';
