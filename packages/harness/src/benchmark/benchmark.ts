import { Bench } from 'tinybench';
import { textTable } from '../report/table.js';

/** One thing to time. */
export interface BenchmarkCase {
  readonly name: string;
  /** One run; what it returns is awaited and thrown away. */
  run(): unknown;
  /** Called once after the last run. */
  dispose?(): unknown;
}

/** Cases that do the same work, one of which is the baseline of the ratios. */
export interface Benchmark {
  readonly name: string;
  readonly title: string;
  /** What a run of every case does, as in 'product of two 512 x 512 matrices'. */
  readonly work: string;
  /** Name of the case that the others are compared with. */
  readonly baseline: string;
  prepare(): Promise<readonly BenchmarkCase[]>;
}

export interface Timing {
  readonly name: string;
  readonly runs: number;
  readonly medianMilliseconds: number;
  /** Median time of the baseline, divided by this one: above 1 is faster than the baseline. */
  readonly speedup: number;
  readonly isBaseline: boolean;
}

export interface BenchmarkResult {
  readonly name: string;
  readonly title: string;
  readonly work: string;
  readonly timings: readonly Timing[];
}

export interface BenchmarkOptions {
  /** Time for each case after its warm-up. Default 1. */
  readonly seconds?: number;
  readonly signal?: AbortSignal;
}

/** Runs that every case gets, however long one takes. */
const LEAST_RUNS = 3;

/** Times every case of a benchmark in this process, one after the other, and relates it to the baseline. */
export async function runBenchmark(
  benchmark: Benchmark,
  options: BenchmarkOptions = {},
): Promise<BenchmarkResult> {
  const { name, title, work } = benchmark;
  const cases = await benchmark.prepare();
  const bench = new Bench({
    name,
    time: (options.seconds ?? 1) * 1000,
    iterations: LEAST_RUNS,
    warmupIterations: 1,
    warmupTime: 0,
    throws: true,
    ...(options.signal ? { signal: options.signal } : {}),
  });
  for (const { name: caseName, run } of cases) bench.add(caseName, run);
  try {
    await bench.run();
  } finally {
    for (const { dispose } of cases) await dispose?.();
  }
  options.signal?.throwIfAborted();
  const medians = bench.tasks.map((task) => medianOf(task.result));
  const baseline = medians[cases.findIndex(({ name: caseName }) => caseName === benchmark.baseline)];
  const timings = bench.tasks.map((task, index) => ({
    name: task.name,
    runs: task.runs,
    medianMilliseconds: medians[index]!,
    speedup: baseline === undefined ? Number.NaN : baseline / medians[index]!,
    isBaseline: task.name === benchmark.baseline,
  }));
  return { name, title, work, timings };
}

function medianOf(result: unknown): number {
  const { latency } = result as { latency?: { p50: number } };
  if (latency === undefined) throw new Error('A benchmark case ended without a timing.');
  return latency.p50;
}

/**
 * Benchmark results for people: times, and ratios to the baseline of the same run.
 * @param width most characters of a line of the table. Default: no limit.
 */
export function formatBenchmarks(results: readonly BenchmarkResult[], width?: number): string {
  return results
    .map(({ title, work, timings }) => {
      const rows = timings.map((timing) => [
        timing.name,
        String(timing.runs),
        timing.medianMilliseconds.toPrecision(3),
        timing.isBaseline ? 'baseline' : `${timing.speedup.toPrecision(3)}x`,
      ]);
      const table = textTable(
        ['case', 'runs', 'median ms', 'speed'],
        rows,
        ['left', 'right', 'right', 'right'],
        width,
      );
      return `${title} (${work})\n${table}`;
    })
    .join('\n\n');
}
