// How the benchmarks take time: of the wall, or with PROCESSOR_TIME=1 of this process, on a machine that others use.
import { minimum, quantile } from '@palimpsest/base';

export const takesProcessorTime = Boolean(process.env.PROCESSOR_TIME);

/** Milliseconds. */
export function clock() {
  if (!takesProcessorTime) return performance.now();
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e3;
}

export const summary = (times) => ({ median: quantile(times, 0.5), least: minimum(times) });

/** How many times as long one took as the other. */
export const ratio = (a, b) =>
  `${(a.median / b.median).toFixed(2)} (least: ${(a.least / b.least).toFixed(2)})`;
