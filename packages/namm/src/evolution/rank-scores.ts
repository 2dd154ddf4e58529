/** Ranks in place of values, evenly spaced from -0.5 (the least) to 0.5; equal values share the mean of their ranks. */
export function rankScores(values: readonly number[]): number[] {
  const order = values.map((_, i) => i).sort((a, b) => values[a]! - values[b]!);
  const ranks = new Array<number>(values.length);
  for (let start = 0; start < order.length; ) {
    let end = start;
    while (end + 1 < order.length && values[order[end + 1]!] === values[order[start]!]) end += 1;
    for (let place = start; place <= end; place++) ranks[order[place]!] = (start + end) / 2;
    start = end + 1;
  }
  const last = Math.max(1, values.length - 1);
  return ranks.map((rank) => rank / last - 0.5);
}
