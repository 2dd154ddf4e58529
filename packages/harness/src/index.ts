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
export { type Diagnosis, diagnose, formatDiagnosis } from './doctor.js';
export { evaluationSuite, type SuiteSize } from './evaluation/evaluations.js';
export {
  type Evaluation,
  type EvaluationContext,
  type EvaluationOutcome,
  runSuite,
  type SuiteEvent,
  type SuiteOptions,
} from './evaluation/suite.js';
export { type CaseFile, findCases } from './parity/cases.js';
export { compareOutput } from './parity/compare.js';
export { embeddedGoldenFolder } from './parity/golden.js';
export { parityHandlers } from './parity/handlers.js';
export { createParityRegistry, type ParityRegistry } from './parity/registry.js';
export { type ParityOptions, runParity } from './parity/run.js';
export { formatParityReport } from './parity/table.js';
export type * from './parity/types.js';
export {
  type ChartOptions,
  type ChartPoint,
  type ChartSpec,
  lineChart,
  renderChart,
  type StripOptions,
  scatterChart,
  stripChart,
} from './report/charts.js';
export { formatMetric, formatNumber } from './report/format.js';
export { renderReport } from './report/html.js';
export { type CurvePoint, type LearningCurveOptions, learningCurveSvg } from './report/learning-curve.js';
export { formatResults } from './report/summary.js';
export { type Alignment, textTable } from './report/table.js';
export { describeProvenance, packageVersions } from './results/provenance.js';
export {
  type EvaluationResult,
  evaluationSchema,
  type Metric,
  metricSchema,
  type Provenance,
  provenanceSchema,
  type Results,
  resultsSchema,
} from './results/schema.js';
export { AssociativeRecall, type AssociativeRecallOptions } from './tasks/associative-recall.js';
