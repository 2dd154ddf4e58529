// Heaps of slots keyed by float32, 8 bytes an entry, the largest key on top. Negate keys for the smallest.

export function keyAt(heap: usize, place: i32): f32 {
  return load<f32>(heap + ((<usize>place) << 3));
}

export function slotAt(heap: usize, place: i32): i32 {
  return load<i32>(heap + ((<usize>place) << 3), 4);
}

export function setEntry(heap: usize, place: i32, key: f32, slot: i32): void {
  const at = heap + ((<usize>place) << 3);
  store<f32>(at, key);
  store<i32>(at, slot, 4);
}

/** Adds an entry to a heap that has `size` of them. */
export function push(heap: usize, size: i32, key: f32, slot: i32): void {
  let at = size;
  while (at > 0) {
    const parent = (at - 1) >> 1;
    const above = keyAt(heap, parent);
    if (above >= key) break;
    setEntry(heap, at, above, slotAt(heap, parent));
    at = parent;
  }
  setEntry(heap, at, key, slot);
}

/** Puts an entry into the place of the top of a heap of `size`. */
export function replaceTop(heap: usize, size: i32, key: f32, slot: i32): void {
  let at = 0;
  for (;;) {
    let child = 2 * at + 1;
    if (child >= size) break;
    let below = keyAt(heap, child);
    if (child + 1 < size) {
      const other = keyAt(heap, child + 1);
      if (other > below) {
        below = other;
        child += 1;
      }
    }
    if (below <= key) break;
    setEntry(heap, at, below, slotAt(heap, child));
    at = child;
  }
  setEntry(heap, at, key, slot);
}

/** Turns a heap into a row of entries by rising key. */
export function sortHeap(heap: usize, size: i32): void {
  for (let last = size - 1; last > 0; last--) {
    const key = keyAt(heap, 0);
    const slot = slotAt(heap, 0);
    replaceTop(heap, last, keyAt(heap, last), slotAt(heap, last));
    setEntry(heap, last, key, slot);
  }
}
