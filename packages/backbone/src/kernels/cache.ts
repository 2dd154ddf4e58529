import { type NDArray, ndarray, type Place, zeros } from '@palimpsest/base';
import { cacheBytesPerToken, type LayerCache, slotsOf, type TransformerState } from '../cache.js';
import type { TransformerConfig } from '../config.js';
import { runsOf } from '../resized-state.js';
import { NoRoom, type TransformerKernels } from './kernels.js';

/** Slots of the smallest cache; the next ones have twice as many. */
const SMALLEST = 256;

/** Keys and values of a layer, `[keyValueHeads, size, headWidth]` each. */
export interface LayerPlaces {
  readonly keys: Place;
  readonly values: Place;
  readonly size: number;
}

/**
 * The keys and values of one text: sinks first, then the window as a ring, so that entries fill the first slots. It doubles
 * when a text fills it, up to the slots of the model.
 */
export class KernelCache {
  /** Position of the next token. */
  position = 0;
  /** Slots that there is room for: none before the first token. */
  #size = 0;
  #place: Place = 0;
  /** Position of the entry in each slot, −1 for none. */
  readonly #held: Int32Array;
  /** Slots that have an entry. */
  #filled = 0;
  /** Slot of the window that the next token takes, counted from its first. */
  #next = 0;

  constructor(
    private readonly kernels: TransformerKernels,
    private readonly config: TransformerConfig,
  ) {
    this.#held = new Int32Array(slotsOf(config)).fill(-1);
  }

  /** Of keys, values and positions. */
  get bytes(): number {
    return cacheBytesPerToken(this.config) * this.#size + 4 * (this.#held.length + 1);
  }

  layer(index: number): LayerPlaces {
    const { keyValueHeads, headWidth } = this.config;
    const room = keyValueHeads * this.#size * headWidth;
    const keys = this.#place + 2 * index * room;
    return { keys, values: keys + room, size: this.#size };
  }

  /** How many further tokens take the slots of their positions; none when an entry lies elsewhere. */
  get inOrder(): number {
    return this.position === this.#filled ? this.#held.length - this.position : 0;
  }

  /** Slots that there is room for. */
  get size(): number {
    return this.#size;
  }

  /** Keys and values of all layers, `[1, keyValueHeads, size, headWidth]` each, where they lie. */
  arrays(): LayerCache<NDArray>[] {
    const { layers, keyValueHeads, headWidth } = this.config;
    const shape = [1, keyValueHeads, this.#size, headWidth];
    return Array.from({ length: layers }, (_, index) => {
      const { keys, values } = this.layer(index);
      return { keys: this.kernels.array(keys, shape), values: this.kernels.array(values, shape) };
    });
  }

  /** Takes the slots of the next tokens. @returns for each its slot, and how many slots it sees */
  take(count: number): { readonly slots: Int32Array; readonly counts: Int32Array } {
    this.reserve(count);
    const { sinks, capacity } = this.config;
    const [slots, counts] = [new Int32Array(count), new Int32Array(count)];
    for (let token = 0; token < count; token++) {
      const position = this.position++;
      const slot = position < sinks ? position : sinks + this.#next;
      if (position >= sinks) this.#next = (this.#next + 1) % capacity;
      this.#held[slot] = position;
      this.#filled = Math.max(this.#filled, slot + 1);
      slots[token] = slot;
      counts[token] = this.#filled;
    }
    return { slots, counts };
  }

  /** Makes room for so many further tokens at once. */
  reserve(tokens: number): void {
    const size = this.#sizeFor(this.#filled + tokens);
    if (size <= this.#size) return;
    const former = { place: this.#place, size: this.#size };
    const isSamePlace = this.kernels.extend(former.place, this.#room(former.size), this.#room(size));
    if (!isSamePlace) this.#place = this.kernels.allocate(this.#room(size));
    this.#size = size;
    this.#copyRows(former.place, former.size, this.#filled);
    if (!isSamePlace) this.kernels.release(former.place, this.#room(former.size));
  }

  /** The memory on the host, of as many slots as the model has. */
  state(): TransformerState<NDArray> {
    const { layers, keyValueHeads, headWidth } = this.config;
    const slots = this.#held.length;
    const part = (place: Place): NDArray => {
      const result = zeros([1, keyValueHeads, slots, headWidth]);
      for (let head = 0; head < keyValueHeads; head++) {
        const from = place + head * this.#size * headWidth;
        const rows = this.kernels.numbers.subarray(from, from + this.#filled * headWidth);
        (result.data as Float32Array).set(rows, head * slots * headWidth);
      }
      return result;
    };
    return {
      position: ndarray(Int32Array.of(this.position), [1], 'int32'),
      positions: ndarray(this.#held.slice(), [1, 1, slots], 'int32'),
      layers: Array.from({ length: layers }, (_, index) => {
        const { keys, values } = this.layer(index);
        return { keys: part(keys), values: part(values) };
      }),
    };
  }

  /**
   * Goes on from a memory on the host, whose entries move to the first slots.
   * @throws NoRoom for a memory that lacks its first tokens, which have slots of their own.
   */
  restore({ position, positions, layers }: TransformerState<NDArray>): void {
    const given = positions!.data as Int32Array;
    const { sinks, capacity, keyValueHeads, headWidth } = this.config;
    const next = position.data[0]!;
    const window = [...given.keys()].filter((slot) => slot >= sinks && given[slot]! >= 0);
    window.sort((a, b) => given[a]! - given[b]!);
    const first = Math.min(sinks, next);
    const hasSinks = given.subarray(0, first).every((entry, slot) => entry === slot);
    if (!hasSinks || (window.length > 0 && first < sinks)) throw new NoRoom();
    // A full ring stays as it turned, so that a text goes on bit for bit.
    const start = window.length === capacity ? window[0]! - sinks : 0;
    const from = new Int32Array(first + window.length);
    for (let slot = 0; slot < first; slot++) from[slot] = slot;
    window.forEach((source, age) => {
      from[first + ((start + age) % capacity)] = source;
    });
    this.reset();
    this.reserve(from.length);
    layers.forEach((layer, index) => {
      const own = this.layer(index);
      for (const name of ['keys', 'values'] as const) {
        const data = layer[name].data as Float32Array;
        for (let head = 0; head < keyValueHeads; head++) {
          for (const { source, slot, count } of runsOf(from)) {
            const begin = (head * given.length + source) * headWidth;
            const to = own[name] + (head * this.#size + slot) * headWidth;
            this.kernels.numbers.set(data.subarray(begin, begin + count * headWidth), to);
          }
        }
      }
    });
    from.forEach((source, slot) => {
      this.#held[slot] = given[source]!;
    });
    this.position = next;
    this.#filled = from.length;
    this.#next = (start + window.length) % capacity;
  }

  /** Goes on from where another text of the same model is. */
  follow(other: KernelCache): void {
    this.reset();
    this.reserve(other.#filled);
    this.#copyRows(other.#place, other.#size, other.#filled);
    this.#held.set(other.#held);
    this.position = other.position;
    this.#filled = other.#filled;
    this.#next = other.#next;
  }

  /** Forgets everything. */
  reset(): void {
    this.#held.fill(-1);
    this.position = 0;
    this.#filled = 0;
    this.#next = 0;
    this.kernels.release(this.#place, this.#room(this.#size));
    this.#size = 0;
  }

  /** Heads of all layers' keys and values. */
  get #rows(): number {
    return 2 * this.config.layers * this.config.keyValueHeads;
  }

  #room(size: number): number {
    return this.#rows * size * this.config.headWidth;
  }

  /** The first entries of all heads, from a cache of that size; the last head first, since they may have been here. */
  #copyRows(place: Place, size: number, count: number): void {
    const { headWidth } = this.config;
    for (let row = this.#rows - 1; row >= 0; row--) {
      const from = place + row * size * headWidth;
      const to = this.#place + row * this.#size * headWidth;
      this.kernels.numbers.copyWithin(to, from, from + count * headWidth);
    }
  }

  #sizeFor(tokens: number): number {
    const slots = this.#held.length;
    let size = SMALLEST;
    while (size < tokens) size *= 2;
    return Math.min(size, slots);
  }
}
