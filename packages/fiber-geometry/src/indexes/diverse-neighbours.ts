interface Rows {
  /** Unit rows `[count, dimension]`. */
  readonly rows: Float32Array;
  readonly dimension: number;
}

/**
 * The neighbours of a list that has room for `most`: those given, then of the candidates, which come best first, only the
 * ones that are closer to the list's own row than to every neighbour before them, then the closest of the rest.
 * @param similarities of the candidates with the list's own row
 */
export function diverseNeighbours(
  { rows, dimension: d }: Rows,
  given: readonly number[],
  slots: readonly number[],
  similarities: readonly number[],
  most: number,
): number[] {
  if (given.length + slots.length <= most) return [...given, ...slots];
  const chosen = [...given];
  const passedOver: number[] = [];
  for (let i = 0; i < slots.length && chosen.length < most; i++) {
    const row = slots[i]! * d;
    let diverse = true;
    for (let j = 0; j < chosen.length && diverse; j++) {
      diverse = similarities[i]! > dotRows(rows, row, chosen[j]! * d, d);
    }
    (diverse ? chosen : passedOver).push(slots[i]!);
  }
  for (let i = 0; i < passedOver.length && chosen.length < most; i++) chosen.push(passedOver[i]!);
  return chosen;
}

/** The dot product of two rows that start at `a` and `b`. */
export function dotRows(rows: Float32Array, a: number, b: number, d: number): number {
  let [first, second] = [0, 0];
  const whole = d & ~1;
  let i = 0;
  for (; i < whole; i += 2) {
    first += rows[a + i]! * rows[b + i]!;
    second += rows[a + i + 1]! * rows[b + i + 1]!;
  }
  if (i < d) first += rows[a + i]! * rows[b + i]!;
  return first + second;
}
