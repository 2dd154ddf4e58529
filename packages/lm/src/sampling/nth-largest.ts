/** Where numbers are put apart, kept from call to call: a new array would cost more than the search in a small vocabulary. */
let room = new Float64Array(0);

/**
 * The n-th largest of some numbers, n = 1 the largest, found without sorting them all (Hoare's selection): a vocabulary of
 * 150,000 is read a few times instead of being put in order.
 * @param values none is NaN; at least n of them
 */
export function nthLargest(values: ArrayLike<number>, n: number): number {
  if (room.length < values.length) room = new Float64Array(values.length);
  const rest = room;
  rest.set(values);
  const target = n - 1;
  let [from, to] = [0, values.length - 1];
  while (from < to) {
    const pivot = median(rest[from]!, rest[(from + to) >> 1]!, rest[to]!);
    let [left, right] = [from, to];
    while (left <= right) {
      while (rest[left]! > pivot) left += 1;
      while (rest[right]! < pivot) right -= 1;
      if (left > right) break;
      [rest[left], rest[right]] = [rest[right]!, rest[left]!];
      left += 1;
      right -= 1;
    }
    // What lies between the two equals the pivot.
    if (target <= right) to = right;
    else if (target >= left) from = left;
    else return pivot;
  }
  return rest[target]!;
}

const median = (a: number, b: number, c: number) => Math.max(Math.min(a, b), Math.min(Math.max(a, b), c));
