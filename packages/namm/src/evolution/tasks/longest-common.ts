/** Length of the longest common subsequence of two sequences. */
export function longestCommon<T>(a: ArrayLike<T>, b: ArrayLike<T>): number {
  let former = new Int32Array(b.length + 1);
  let current = new Int32Array(b.length + 1);
  for (let i = 1; i <= a.length; i++) {
    for (let j = 1; j <= b.length; j++) {
      current[j] = a[i - 1] === b[j - 1] ? former[j - 1]! + 1 : Math.max(former[j]!, current[j - 1]!);
    }
    [former, current] = [current, former];
  }
  return former[b.length]!;
}
