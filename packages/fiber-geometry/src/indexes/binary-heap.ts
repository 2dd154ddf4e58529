/** A heap of slots keyed by numbers in typed arrays; the top has the largest key. Negate keys for the smallest. */
export class SlotHeap {
  keys: Float64Array;
  slots: Int32Array;
  size = 0;

  constructor(capacity: number) {
    this.keys = new Float64Array(capacity);
    this.slots = new Int32Array(capacity);
  }

  push(key: number, slot: number): void {
    if (this.size === this.keys.length) this.#grow();
    let at = this.size++;
    const { keys, slots } = this;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (keys[parent]! >= key) break;
      keys[at] = keys[parent]!;
      slots[at] = slots[parent]!;
      at = parent;
    }
    keys[at] = key;
    slots[at] = slot;
  }

  /** Takes the top off and gives its slot; -1 when empty. */
  pop(): number {
    if (this.size === 0) return -1;
    const top = this.slots[0]!;
    this.size -= 1;
    if (this.size > 0) this.#sink(this.keys[this.size]!, this.slots[this.size]!);
    return top;
  }

  /** Replaces the top. */
  replaceTop(key: number, slot: number): void {
    this.#sink(key, slot);
  }

  #sink(key: number, slot: number): void {
    const { keys, slots, size } = this;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= size) break;
      if (child + 1 < size && keys[child + 1]! > keys[child]!) child += 1;
      if (keys[child]! <= key) break;
      keys[at] = keys[child]!;
      slots[at] = slots[child]!;
      at = child;
    }
    keys[at] = key;
    slots[at] = slot;
  }

  #grow(): void {
    const keys = new Float64Array(this.keys.length * 2);
    const slots = new Int32Array(this.slots.length * 2);
    keys.set(this.keys);
    slots.set(this.slots);
    this.keys = keys;
    this.slots = slots;
  }
}
