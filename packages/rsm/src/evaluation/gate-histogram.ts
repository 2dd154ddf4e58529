export interface GateHistogram {
  /** Share of gate values in each of the bins, which divide [0, 1] evenly. */
  readonly shares: readonly number[];
  readonly mean: number;
  /** Share of gates that are nearly shut (below 0.05) and nearly open (above 0.95). */
  readonly shut: number;
  readonly open: number;
}

/** How gates in [0, 1] are spread. @param bins default 20 */
export function gateHistogram(gates: ArrayLike<number>, bins = 20): GateHistogram {
  const counts = new Array<number>(bins).fill(0);
  let [total, shut, open] = [0, 0, 0];
  for (let index = 0; index < gates.length; index++) {
    const gate = gates[index]!;
    counts[Math.min(bins - 1, Math.floor(gate * bins))]! += 1;
    total += gate;
    if (gate < 0.05) shut += 1;
    if (gate > 0.95) open += 1;
  }
  const count = Math.max(1, gates.length);
  return {
    shares: counts.map((value) => value / count),
    mean: total / count,
    shut: shut / count,
    open: open / count,
  };
}
