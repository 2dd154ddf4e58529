// Rows of slots by falling similarity, 8 bytes an entry: the similarity as float32, and the slot, with a bit while it is to be opened.

export const UNOPENED: i32 = 1 << 31;

export function keyAt(row: usize, place: i32): f32 {
  return load<f32>(row + ((<usize>place) << 3));
}

export function slotAt(row: usize, place: i32): i32 {
  return load<i32>(row + ((<usize>place) << 3), 4);
}

export function setEntry(row: usize, place: i32, key: f32, slot: i32): void {
  const at = row + ((<usize>place) << 3);
  store<f32>(at, key);
  store<i32>(at, slot, 4);
}

/** Copies entries as ones that are to be opened. */
export function reopen(from: usize, to: usize, count: i32): void {
  for (let i = 0; i < count; i++) setEntry(to, i, keyAt(from, i), slotAt(from, i) | UNOPENED);
}

/** Takes the mark from an entry. @returns its slot, or -1 where it had none */
export function open(row: usize, place: i32): i32 {
  const at = row + ((<usize>place) << 3);
  const slot = load<i32>(at, 4);
  if (slot >= 0) return -1;
  store<i32>(at, slot & ~UNOPENED, 4);
  return slot & ~UNOPENED;
}

/**
 * Puts an entry behind those of at least its similarity. Eight are moved together while all of them have less; most entries belong near
 * the end.
 * @param size entries that there are
 * @returns the place of the new one
 */
export function insert(row: usize, size: i32, key: f32, slot: i32): i32 {
  let at = row + ((<usize>size) << 3);
  for (const eight = row + 64; at >= eight && load<f32>(at - 64) < key; at -= 64) {
    const a = v128.load(at - 16);
    const b = v128.load(at - 32);
    const c = v128.load(at - 48);
    const e = v128.load(at - 64);
    v128.store(at - 8, a);
    v128.store(at - 24, b);
    v128.store(at - 40, c);
    v128.store(at - 56, e);
  }
  for (; at > row && load<f32>(at - 8) < key; at -= 8) store<i64>(at, load<i64>(at - 8));
  store<f32>(at, key);
  store<i32>(at, slot, 4);
  return <i32>((at - row) >> 3);
}
