/** Whether a stored value is a whole number from 0 up to, without, `end`: a cursor is read from a file, which may hold anything. */
export function isPlace(value: unknown, end: number): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value < end;
}
