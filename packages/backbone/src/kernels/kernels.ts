import {
  type NDArray,
  ndarray,
  nodeModule,
  type Place,
  type SharedWasmKernels,
  sizeOf,
} from '@palimpsest/base';
import type { QuantisedBits } from '@palimpsest/tensor-core';
import { byteForm, instantiate, type KernelExports, products } from './exports.js';

/** Bits of a weight. */
export type KernelBits = QuantisedBits | 32;

/** A matrix `[outputs, inputs]` in the kernels' memory: few bits in the order of their products, 32 row by row. */
export interface KernelMatrix {
  readonly place: Place;
  readonly outputs: number;
  readonly inputs: number;
  readonly bits: KernelBits;
}

/** Rows that are stored side by side; missing ones of the last sixteen are 0. */
export const GROUP = 16;
/** Columns that share a scale. */
export const BLOCK = 32;
/** Bytes of a block of a rounded row, at most. */
const ROUNDED = 80;
/** Numbers of the first page, which the threads use. */
const FIRST = 16_384;
const PAGE = 65_536;
/** Parts of a product for each thread, so that one that is held up leaves its share to the others. */
const PARTS = 4;
/** Products of keys and queries that are worth waking other threads. */
const SHARED_PRODUCTS = 2 ** 15;

const bytes = (place: Place): number => 4 * place;
/** Lines of the processor's cache. */
const align = (count: number): number => Math.ceil(count / 16) * 16;

/** There is no memory for something. */
export class NoRoom extends Error {}

/** Whether one row is multiplied with weights of so many bits faster here than by the runtime. */
export const hasKernels = (bits: KernelBits): boolean =>
  bits !== 8 ? products !== undefined : byteForm !== undefined;

/** Numbers that a matrix takes. */
export const matrixRoom = (outputs: number, inputs: number, bits: KernelBits): number =>
  bits === 32 ? outputs * inputs : Math.ceil(outputs / GROUP) * (inputs / BLOCK) * GROUP * (bits + 1);

/** What another thread runs. */
const helper = `const { workerData: { module, memory, scratch } } = require('node:worker_threads');
new WebAssembly.Instance(module, { env: { memory } }).exports.help(scratch);`;

/**
 * The kernels of models whose weights have 32, 8 or 4 bits, with a memory of at most 4 GiB that grows with what is allocated, and
 * threads that share it. Places are indices into one float32 view of it.
 */
export class TransformerKernels {
  readonly #kernels: SharedWasmKernels<KernelExports>;
  readonly #free = new Map<number, Place[]>();
  #numbers: Float32Array;
  #next: Place = FIRST;

  /**
   * @param widest inputs that a matrix has at most
   * @throws where `hasKernels` is false
   */
  constructor(
    readonly threads: number,
    widest: number,
  ) {
    this.#kernels = instantiate!();
    this.#numbers = new Float32Array(this.#kernels.memory.buffer);
    const scratch = Array.from({ length: threads }, () => this.allocate(matrixRoom(GROUP, widest, 8)));
    this.#kernels.exports.begin(bytes(scratch[0]!));
    for (const place of scratch.slice(1)) this.#addThread(place);
  }

  /** All of the memory, until the next allocation. */
  get numbers(): Float32Array {
    return this.#numbers;
  }

  /**
   * Room for numbers, whatever they are.
   * @throws NoRoom when the memory cannot grow.
   */
  allocate(count: number): Place {
    const room = align(count);
    const known = this.#free.get(room)?.pop();
    if (known !== undefined) return known;
    return this.#atEnd(room);
  }

  /**
   * More room at the same place, when nothing was allocated behind it; what it held stays.
   * @returns whether there is such
   */
  extend(place: Place, count: number, more: number): boolean {
    if (count === 0 || place + align(count) !== this.#next) return false;
    this.#atEnd(align(more) - align(count));
    return true;
  }

  /** Gives room back to who next wants as much, or to all when it was the last. */
  release(place: Place, count: number): void {
    const room = align(count);
    if (room === 0) return;
    if (place + room === this.#next) {
      this.#next = place;
      return;
    }
    this.#free.set(room, [...(this.#free.get(room) ?? []), place]);
  }

  /** Brings rows of a matrix, a multiple of 16 of them, from the runtime's layout into the order of products. */
  arrange(
    to: Place,
    packed: Uint8Array,
    scales: Uint8Array,
    { inputs, bits }: Pick<KernelMatrix, 'inputs' | 'bits'>,
  ): void {
    const blocks = inputs / BLOCK;
    const groups = scales.length / (4 * blocks * GROUP);
    const room = [packed, scales].map(({ length }) => length / 4);
    const places = room.map((count) => this.allocate(count));
    const all = new Uint8Array(this.#kernels.memory.buffer);
    all.set(packed, bytes(places[0]!));
    all.set(scales, bytes(places[1]!));
    const flipped = bits === 8 ? byteForm!.flipped : 0;
    this.#kernels.exports.arrange(
      bytes(to),
      bytes(places[0]!),
      bytes(places[1]!),
      groups,
      blocks,
      bits,
      flipped,
    );
    // The last one first, so that all of it is free again.
    this.release(places[1]!, room[1]!);
    this.release(places[0]!, room[0]!);
  }

  /** Bytes of the memory, to be written to. */
  bytes(place: Place, count: number): Uint8Array {
    return new Uint8Array(this.#kernels.memory.buffer, bytes(place), count);
  }

  /** Numbers of the memory as an array over them; it stays valid when the memory grows. */
  array(place: Place, shape: readonly number[]): NDArray {
    return ndarray(new Float32Array(this.#kernels.memory.buffer, bytes(place), sizeOf(shape)), shape);
  }

  /** A row of a matrix as numbers. */
  row({ place, inputs, bits }: KernelMatrix, row: number, to: Place, factor: number): void {
    if (bits === 32) {
      const from = place + row * inputs;
      for (let i = 0; i < inputs; i++) this.#numbers[to + i] = factor * this.#numbers[from + i]!;
      return;
    }
    const size = GROUP * (bits + 1);
    const all = new Uint8Array(this.#kernels.memory.buffer);
    const { numbers } = this;
    const own = row % GROUP;
    let block = place + ((row - own) / GROUP) * (inputs / BLOCK) * size;
    for (let column = 0; column < inputs; column += BLOCK, block += size) {
      const scale = factor * numbers[block + GROUP * bits + own]!;
      for (let i = 0; i < BLOCK; i++) {
        const at = bits === 8 ? i : i >> 1;
        const byte = all[bytes(block) + 4 * (GROUP * (at >> 2) + own) + (at & 3)]!;
        const level =
          bits === 8 ? (byte ^ (byteForm!.flipped & 255)) - 128 : ((byte >> (4 * (i & 1))) & 15) - 8;
        numbers[to + column + i] = scale * level;
      }
    }
  }

  /** Numbers that so many rounded rows take. */
  roundedRoom = (rows: number, width: number): number => (rows * (width / BLOCK) * ROUNDED) / 4;

  /**
   * y = W x + bias of several rows: `[tokens, outputs]`, filled up to a multiple of 16. Where weights have few bits, activations
   * are rounded to 8 bits per block of 32, as the runtime does.
   * @param rounded scratch of `roundedRoom`
   * @param fine activations have 16 bits where weights have 8
   */
  multiply(
    y: Place,
    { place, outputs, inputs, bits }: KernelMatrix,
    x: Place,
    bias: Place,
    tokens: number,
    rounded: Place,
    fine = false,
  ): void {
    const { exports } = this.#kernels;
    const isFine = fine && bits === 8;
    const groups = bits === 32 ? outputs : Math.ceil(outputs / GROUP);
    const offset = bits === 8 ? byteForm!.offset : 8;
    const parts = this.threads === 1 ? 1 : Math.min(groups, PARTS * this.threads);
    if (bits === 32) rounded = x;
    else if (isFine) exports.roundRowsFine(bytes(rounded), bytes(x), tokens * inputs, offset);
    else exports.roundRows(bytes(rounded), bytes(x), tokens * inputs, bits, offset);
    exports.multiply(
      bytes(y),
      bytes(place),
      bytes(rounded),
      bytes(bias),
      groups,
      inputs / BLOCK,
      bits,
      tokens,
      isFine,
      parts,
    );
  }

  /**
   * Attention of several tokens, one after the other: each one's key and value take their slot, then its queries read the first
   * slots.
   * @param y `[tokens, heads, width]`
   * @param rows queries, keys and values, `[tokens, heads + 2 keyValueHeads, width]`
   * @param cache keys and values, `[keyValueHeads, size, width]` each
   * @param scores scratch for `[heads, scoresRoom]`, at least four more than there are slots
   * @param slots int32 `[tokens]`; counts as well
   * @param most the largest count
   */
  attend(
    y: Place,
    rows: Place,
    cache: { readonly keys: Place; readonly values: Place; readonly size: number },
    {
      scores,
      scoresRoom,
      slots,
      counts,
    }: Readonly<Record<'scores' | 'scoresRoom' | 'slots' | 'counts', Place>>,
    tokens: number,
    most: number,
    shape: { heads: number; keyValueHeads: number; headWidth: number; attentionScale: number },
  ): void {
    const { heads, keyValueHeads, headWidth, attentionScale } = shape;
    const isShared = this.threads > 1 && tokens * most * heads * headWidth >= SHARED_PRODUCTS;
    this.#kernels.exports.attendAll(
      bytes(y),
      bytes(rows),
      bytes(cache.keys),
      bytes(cache.values),
      bytes(cache.size * headWidth),
      bytes(scores),
      bytes(scoresRoom),
      bytes(slots),
      bytes(counts),
      tokens,
      heads,
      keyValueHeads,
      headWidth,
      Math.fround(attentionScale),
      isShared,
    );
  }

  /** Whole numbers at a place, until the next allocation. */
  ints(place: Place, count: number): Int32Array {
    return new Int32Array(this.#kernels.memory.buffer, bytes(place), count);
  }

  /** sum += branch; y = gain sum / √(mean(sum²) + epsilon). */
  addNormalised(y: Place, sum: Place, branch: Place, gain: Place, width: number, epsilon: number): void {
    const { exports } = this.#kernels;
    exports.addRootNormalised(bytes(y), bytes(sum), bytes(branch), bytes(gain), width, epsilon);
  }

  /** y = gate σ(gate) value. */
  swiGlu(y: Place, gate: Place, value: Place, count: number): void {
    this.#kernels.exports.swiGlu(bytes(y), bytes(gate), bytes(value), count);
  }

  /** Of `rows` rows, one behind the other, the pairs (i, i + width / 2) are turned by their angles. */
  turn(x: Place, rows: number, width: number, cos: Place, sin: Place): void {
    this.#kernels.exports.turn(bytes(x), rows, bytes(width), bytes(cos), bytes(sin), width / 2);
  }

  /** Ends the other threads; the memory goes when nobody holds it. */
  dispose(): void {
    this.#kernels.exports.end();
  }

  #atEnd(room: number): Place {
    const { memory } = this.#kernels;
    const end = this.#next + room;
    const missing = bytes(end) - memory.buffer.byteLength;
    if (missing > 0) {
      try {
        memory.grow(Math.ceil(missing / PAGE));
      } catch (error) {
        throw new NoRoom('A memory of 4 GiB is full.', { cause: error });
      }
      this.#numbers = new Float32Array(memory.buffer);
    }
    const place = this.#next;
    this.#next = end;
    return place;
  }

  #addThread(scratch: Place): void {
    const { Worker } = nodeModule('node:worker_threads');
    const { module, memory } = this.#kernels;
    const worker = new Worker(helper, {
      eval: true,
      workerData: { module, memory, scratch: bytes(scratch) },
    });
    // A thread that cannot begin takes no part, and the others do its share.
    worker.on('error', () => undefined);
    worker.unref();
  }
}
