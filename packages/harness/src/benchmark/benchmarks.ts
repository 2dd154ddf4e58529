import type { Benchmark } from './benchmark.js';
import { engineBenchmarks } from './engines.js';

/** Every benchmark of `palimpsest bench`. */
export function benchmarks(): readonly Benchmark[] {
  return engineBenchmarks();
}
