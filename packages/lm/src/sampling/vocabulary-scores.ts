import { drawingKernels, type WasmMemory } from '@palimpsest/base';
import { InputError } from '@palimpsest/tensor-core';
import { nthLargest } from './nth-largest.js';

/** Scores that are looked at together. */
const BLOCK = 64;
/** 2^(i / 64), of which the kernels make powers. */
const ROOTS = Float64Array.from({ length: 64 }, (_, index) => 2 ** (index / 64));
const PAGE = 65_536;
const blocksOf = (count: number) => Math.ceil(count / BLOCK);

/** New numbers, behind what the kernels' memory holds where there are kernels. */
function roomFor(memory: WasmMemory | undefined, count: number): Float64Array {
  if (!memory) return new Float64Array(count);
  const start = memory.buffer.byteLength;
  memory.grow(Math.ceil((8 * count) / PAGE));
  return new Float64Array(memory.buffer, start, count);
}

/**
 * The scores of all tokens, and what a draw needs of them without looking at each: the largest of every 64, and their shares
 * e^((score − largest) / temperature) with the sum of every 64, exact but for the last bit or two. By kernels where they run.
 */
export class VocabularyScores {
  /** `[capacity]`, of which the first `count` are scores. They change between `load` and `changed` alone. */
  readonly scores: Float64Array;
  /** What `share` found, as many. */
  readonly shares: Float64Array;
  readonly #blockLargest: Float64Array;
  readonly #blockSums: Float64Array;
  readonly #roots: Float64Array;
  readonly #kernels: ReturnType<typeof drawingKernels>;
  #count = 0;
  #likeliest = 0;
  #largest = 0;
  /** The temperature of the shares; NaN before there are any. */
  #temperature = Number.NaN;
  #sum = 0;

  /** @param byKernels where they run. Default true */
  constructor(
    readonly capacity: number,
    byKernels = true,
  ) {
    this.#kernels = byKernels ? drawingKernels() : undefined;
    const blocks = blocksOf(capacity);
    const room = roomFor(this.#kernels?.memory, 2 * blocks * (BLOCK + 1) + ROOTS.length);
    this.scores = room.subarray(0, blocks * BLOCK);
    this.shares = room.subarray(blocks * BLOCK, 2 * blocks * BLOCK);
    this.#blockLargest = room.subarray(2 * blocks * BLOCK, 2 * blocks * BLOCK + blocks);
    this.#blockSums = room.subarray(2 * blocks * BLOCK + blocks, 2 * blocks * (BLOCK + 1));
    this.#roots = room.subarray(2 * blocks * (BLOCK + 1));
    this.#roots.set(ROOTS);
  }

  /** How many scores there are. */
  get count(): number {
    return this.#count;
  }

  load(scores: ArrayLike<number>): void {
    this.#count = scores.length;
    this.scores.set(scores);
    this.scores.fill(-Infinity, this.#count, blocksOf(this.#count) * BLOCK);
    this.changed();
  }

  /** Says that scores are others now. */
  changed(): void {
    this.#temperature = Number.NaN;
    this.#findBlockLargest();
    let best = -1;
    this.#largest = -Infinity;
    for (let block = 0; block < blocksOf(this.#count); block++) {
      const largest = this.#blockLargest[block]!;
      if (largest > this.#largest) [best, this.#largest] = [block, largest];
      else if (Number.isNaN(largest)) {
        this.#largest = Number.NaN;
        return;
      }
    }
    this.#likeliest = best < 0 ? -1 : this.scores.indexOf(this.#largest, best * BLOCK);
  }

  /** The id with the largest score, the lowest among equals. @throws InputError when a score is no number, or none can be drawn. */
  likeliest(): number {
    if (Number.isNaN(this.#largest)) {
      const id = this.scores.subarray(0, this.#count).findIndex(Number.isNaN);
      throw new InputError(`The logit of token ${id} is NaN; the model has diverged.`);
    }
    if (this.#largest > -Infinity) return this.#likeliest;
    throw new InputError('Every token is banned or padded, so none can be drawn; allow at least one.');
  }

  /** log Σ e^score */
  logSum(): number {
    return this.#largest + Math.log(this.share(1));
  }

  /** Fills `shares`: of the largest score, which may be infinite, 1. @returns their sum */
  share(temperature: number): number {
    if (temperature === this.#temperature) return this.#sum;
    this.#temperature = temperature;
    const count = blocksOf(this.#count) * BLOCK;
    const [largest, kernels] = [this.#largest, this.#kernels];
    if (kernels && Number.isFinite(largest)) {
      const [shares, sums, scores, roots] = [this.shares, this.#blockSums, this.scores, this.#roots];
      kernels.blockShares(
        shares.byteOffset,
        sums.byteOffset,
        scores.byteOffset,
        count,
        largest,
        temperature,
        roots.byteOffset,
      );
    } else this.#shareOneByOne(count, temperature);
    this.#sum = 0;
    for (let block = 0; block < blocksOf(this.#count); block++) this.#sum += this.#blockSums[block]!;
    return this.#sum;
  }

  /** The id at which the shares, one behind the other, pass a part of their sum. @param part from 0 on, below 1 */
  idAt(part: number): number {
    const threshold = part * this.#sum;
    let [start, before, after] = [0, 0, 0];
    for (let block = 0; block < blocksOf(this.#count) && !(threshold < after); block++) {
      if (this.#blockSums[block] === 0) continue;
      start = block * BLOCK;
      before = after;
      after += this.#blockSums[block]!;
    }
    return start + indexAt(this.shares.subarray(start, start + BLOCK), threshold - before);
  }

  /** Ids of at least `count` of the largest scores in rising order, all ids of scores that are as large as one of them. */
  largestIds(count: number): number[] {
    const blocks = blocksOf(this.#count);
    const least =
      count <= blocks ? nthLargest(this.#blockLargest.subarray(0, blocks), count) : this.#nthLargest(count);
    const ids: number[] = [];
    for (let block = 0; block < blocks; block++) {
      if (this.#blockLargest[block]! < least) continue;
      const end = Math.min(this.#count, (block + 1) * BLOCK);
      for (let id = block * BLOCK; id < end; id++) if (this.scores[id]! >= least) ids.push(id);
    }
    return ids;
  }

  #nthLargest(count: number): number {
    return count < this.#count ? nthLargest(this.scores.subarray(0, this.#count), count) : -Infinity;
  }

  #findBlockLargest(): void {
    const [scores, largest] = [this.scores, this.#blockLargest];
    const count = blocksOf(this.#count) * BLOCK;
    this.#kernels?.blockLargest(largest.byteOffset, scores.byteOffset, count);
    if (this.#kernels) return;
    for (let at = 0; at < count; at += BLOCK) {
      largest[at / BLOCK] = Math.max(...scores.subarray(at, at + BLOCK));
    }
  }

  #shareOneByOne(count: number, temperature: number): void {
    this.#blockSums.fill(0);
    for (let id = 0; id < count; id++) {
      const score = this.scores[id]!;
      const rest = (score - this.#largest) / temperature;
      const share = score === this.#largest ? 1 : score === -Infinity ? 0 : Math.exp(rest);
      this.shares[id] = share;
      this.#blockSums[(id / BLOCK) | 0]! += share;
    }
  }
}

/** The index at which weights, added one by one, pass a threshold; the last one that has any where they do not. */
export function indexAt(weights: ArrayLike<number>, threshold: number): number {
  let cumulative = 0;
  let last = 0;
  for (let index = 0; index < weights.length; index++) {
    if (!(weights[index]! > 0)) continue;
    cumulative += weights[index]!;
    if (threshold < cumulative) return index;
    last = index;
  }
  return last;
}

let room: VocabularyScores | undefined;

/** Scores in a place that is used again at every draw: between two tokens of a small model a new one would cost as much as the draw. */
export function vocabularyScores(scores: ArrayLike<number>): VocabularyScores {
  if (!room || room.capacity < scores.length) room = new VocabularyScores(scores.length);
  room.load(scores);
  return room;
}
