/** How fast work goes, and how long the rest of it will take. */
export interface Pace {
  /** Units per second since the start. */
  readonly rate: number;
  readonly secondsLeft: number;
}

/**
 * Rate since now, and the time that the rest will take at that rate.
 * @param total units of the whole work
 * @param from units that were done before
 */
export function createPace(total: number, from = 0): (done: number) => Pace {
  const start = performance.now();
  return (done) => {
    const rate = (done - from) / Math.max(1e-3, (performance.now() - start) / 1000);
    return { rate, secondsLeft: rate > 0 ? Math.max(0, total - done) / rate : Number.POSITIVE_INFINITY };
  };
}

/** Seconds as `42 s`, `3 min 5 s` or `2 h 10 min`. */
export function formatDuration(seconds: number): string {
  if (!Number.isFinite(seconds)) return '-';
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}
