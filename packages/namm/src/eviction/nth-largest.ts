/**
 * The value that so many are as large as or larger, by Hoare's selection: what a sort would give in a fraction of its time.
 * @param values at least so many; their order is lost
 * @param place from 1, the largest
 */
export function nthLargest(values: Float32Array, place: number): number {
  const target = place - 1;
  let [from, to] = [0, values.length - 1];
  while (from < to) {
    const pivot = middleOf(values[from]!, values[(from + to) >> 1]!, values[to]!);
    let [left, right] = [from, to];
    while (left <= right) {
      while (values[left]! > pivot) left += 1;
      while (values[right]! < pivot) right -= 1;
      if (left > right) break;
      const value = values[left]!;
      values[left] = values[right]!;
      values[right] = value;
      left += 1;
      right -= 1;
    }
    if (target <= right) to = right;
    else if (target >= left) from = left;
    else break;
  }
  return values[target]!;
}

const middleOf = (a: number, b: number, c: number): number =>
  Math.max(Math.min(a, b), Math.min(Math.max(a, b), c));
