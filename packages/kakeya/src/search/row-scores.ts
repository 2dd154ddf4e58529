import { KERNEL_START, type Kernels, kernelNumbers, matrixKernels } from '../linalg/matrix-kernel.js';
import type { PackedRows } from './code-rows.js';

/** Where the path bits of a trellis lie in every row, and what its code bits are sums of. */
export interface PathBits {
  readonly position: number;
  /** Bit d is set where the path bit d components back is part of the sum: of first code bits, and of second ones. */
  readonly taps: readonly [number, number];
}

/** One component of a look-up: levels in the order of its bits, and the number of their weight. */
export interface Term {
  readonly levels: Float64Array;
  readonly weight: number;
}

/** One summand of every row's score: the weighted levels of neighbouring components, found by one look-up. */
export interface LookUp {
  /** Bits of the row that belong to it; at most 9, so that two bytes hold them wherever they begin. */
  readonly position: number;
  readonly width: number;
  /** Components whose two code bits belong to it, and the first of them; they share a word of 32. */
  readonly codes: number;
  readonly first: number;
  readonly terms: readonly Term[];
  /**
   * Place of every combination of levels, numbered with the first term lowest, among the summands: by first code bits (lowest),
   * second code bits, bits of the row (highest). Null where the two orders are one.
   */
  readonly order: Uint16Array | null;
}

/** All that rows are scored by but for the query. */
export interface ScorePlan {
  readonly lookUps: readonly LookUp[];
  readonly path: PathBits | null;
}

/** Rows that are scored together before the next ones: their codes and sums stay near the processor. */
const ROWS_AT_ONCE = 256;

type AddBlock = (from: number, to: number) => void;

/** Adds all summands to the sums of the first `sums.length` rows. */
export function addScores(
  rows: PackedRows,
  plan: ScorePlan,
  weights: Float64Array,
  sums: Float64Array,
  kernels: Kernels | null = matrixKernels() ?? null,
): void {
  const addBlock = kernels
    ? kernelBlocks(kernels, rows, plan, weights, sums)
    : plainBlocks(rows, plan, weights, sums);
  for (let from = 0; from < sums.length; from += ROWS_AT_ONCE) {
    addBlock(from, Math.min(from + ROWS_AT_ONCE, sums.length));
  }
}

/** Numbers in the table of a look-up. */
const entries = ({ terms }: LookUp) => terms.reduce((product, { levels }) => product * levels.length, 1);

/** Calls `onWord` before the first look-up of every word of 32 components. */
function eachLookUp(
  lookUps: readonly LookUp[],
  onWord: (word: number) => void,
  onLookUp: (lookUp: LookUp, index: number) => void,
): void {
  let word = -1;
  for (let index = 0; index < lookUps.length; index++) {
    const lookUp = lookUps[index]!;
    if (lookUp.codes > 0 && lookUp.first >>> 5 !== word) {
      word = lookUp.first >>> 5;
      onWord(word);
    }
    onLookUp(lookUp, index);
  }
}

/** Places in the kernels' memory, counted in numbers. */
const SUMS = KERNEL_START;
const WORDS = SUMS + ROWS_AT_ONCE;
/** One number is kept free before the rows, for bits that are read before the first row's path bits. */
const ROWS = WORDS + ROWS_AT_ONCE + 1;

function kernelBlocks(
  kernels: Kernels,
  { bytes, width }: PackedRows,
  { lookUps, path }: ScorePlan,
  weights: Float64Array,
  sums: Float64Array,
): AddBlock {
  const tablesAt = ROWS + Math.ceil((ROWS_AT_ONCE * width) / 8) + 1;
  const { numbers, tables } = kernelTables(kernels, lookUps, weights, tablesAt);
  const places = new Uint8Array(numbers.buffer);
  return (from, to) => {
    const count = to - from;
    numbers.set(sums.subarray(from, to), SUMS);
    places.set(bytes.subarray(from * width, to * width), 8 * ROWS);
    eachLookUp(
      lookUps,
      (word) => {
        // Eight bits lie before a word's own: those of the components before it, or nothing.
        const place = path!.position + 32 * word - 8;
        const kept = word === 0 ? 0xffffffff00n : 0xffffffffffn;
        const at = 8 * ROWS + (place >> 3);
        kernels.codeBits(at, width, count, place & 7, kept, path!.taps[0], path!.taps[1], 8 * WORDS);
      },
      ({ position, width: bits, codes, first, terms }, index) => {
        const [at, shift, mask] = [8 * ROWS + (position >> 3), position & 7, (1 << bits) - 1];
        const factor = terms.length === 1 ? weights[terms[0]!.weight]! : 1;
        const table = 8 * tables[index]!;
        kernels.addLookUps(
          at,
          width,
          count,
          shift,
          mask,
          8 * WORDS,
          first & 31,
          codes,
          table,
          factor,
          8 * SUMS,
        );
      },
    );
    sums.set(numbers.subarray(SUMS, SUMS + count), from);
  };
}

/** Tables of all look-ups in the kernels' memory; a component alone has its levels for a table. */
function kernelTables(
  kernels: Kernels,
  lookUps: readonly LookUp[],
  weights: Float64Array,
  start: number,
): { numbers: Float64Array; tables: readonly number[] } {
  const shared = new Map<Float64Array | Uint16Array, number>();
  let end = start;
  const share = (values: Float64Array | Uint16Array) => {
    if (shared.has(values)) return;
    shared.set(values, end);
    end += Math.ceil(values.byteLength / 8);
  };
  for (const { terms, order } of lookUps) {
    for (const { levels } of terms) share(levels);
    if (order) share(order);
  }
  const scratch = end;
  end += Math.max(0, ...lookUps.map(entries));
  const tables = lookUps.map((lookUp) => {
    if (lookUp.terms.length === 1) return shared.get(lookUp.terms[0]!.levels)!;
    end += entries(lookUp);
    return end - entries(lookUp);
  });
  const numbers = kernelNumbers(kernels, end);
  const shorts = new Uint16Array(numbers.buffer);
  for (const [values, at] of shared) {
    if (values instanceof Uint16Array) shorts.set(values, 4 * at);
    else numbers.set(values, at);
  }
  lookUps.forEach(({ terms, order }, index) => {
    if (terms.length === 1) return;
    const place = order ? scratch : tables[index]!;
    numbers[place] = 0;
    let filled = 1;
    for (const { levels, weight } of terms) {
      kernels.extendTable(8 * place, filled, 8 * shared.get(levels)!, levels.length, weights[weight]!);
      filled *= levels.length;
    }
    if (order) kernels.spread(8 * tables[index]!, 8 * place, 8 * shared.get(order)!, filled);
  });
  return { numbers, tables };
}

/** The same in plain loops, to the same numbers. */
function plainBlocks(
  { bytes, width }: PackedRows,
  { lookUps, path }: ScorePlan,
  weights: Float64Array,
  sums: Float64Array,
): AddBlock {
  const tables = lookUps.map((lookUp) => plainTable(lookUp, weights));
  const [first, second] = [new Int32Array(ROWS_AT_ONCE), new Int32Array(ROWS_AT_ONCE)];
  const [before, own] = [new Int32Array(ROWS_AT_ONCE), new Int32Array(ROWS_AT_ONCE)];
  return (from, to) => {
    const count = to - from;
    eachLookUp(
      lookUps,
      (word) => {
        for (let i = 0; i < count; i++) {
          const bit = 8 * (from + i) * width + path!.position + 32 * word;
          before[i] = word === 0 ? 0 : wordAt(bytes, bit - 32);
          own[i] = wordAt(bytes, bit);
        }
        sumBits(path!.taps[0], before, own, first);
        sumBits(path!.taps[1], before, own, second);
      },
      ({ position, width: bits, codes, first: component, terms }, index) => {
        const [ones, mask, shift] = [(1 << codes) - 1, (1 << bits) - 1, position & 7];
        const table = tables[index]!;
        const factor = terms.length === 1 ? weights[terms[0]!.weight]! : 1;
        let at = from * width + (position >> 3);
        for (let i = 0; i < count; i++, at += width) {
          const level = ((bytes[at]! | (bytes[at + 1]! << 8)) >>> shift) & mask;
          const low = (first[i]! >>> (component & 31)) & ones;
          const high = (second[i]! >>> (component & 31)) & ones;
          sums[from + i]! += factor * table[(level << (2 * codes)) | (high << codes) | low]!;
        }
      },
    );
  };
}

function plainTable(lookUp: LookUp, weights: Float64Array): Float64Array {
  const { terms, order } = lookUp;
  if (terms.length === 1) return terms[0]!.levels;
  let sums = Float64Array.of(0);
  for (const { levels, weight } of terms) {
    const shorter = sums;
    sums = new Float64Array(shorter.length * levels.length);
    for (let at = 0; at < sums.length; at++) {
      const level = Math.floor(at / shorter.length);
      sums[at] = shorter[at % shorter.length]! + weights[weight]! * levels[level]!;
    }
  }
  if (!order) return sums;
  const table = new Float64Array(sums.length);
  for (let k = 0; k < sums.length; k++) table[order[k]!] = sums[k]!;
  return table;
}

/** 32 bits from a bit's place on. */
function wordAt(bytes: Uint8Array, bit: number): number {
  const [at, shift] = [Math.floor(bit / 8), bit % 8];
  const low = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
  return shift === 0 ? low : (low >>> shift) | (bytes[at + 4]! << (32 - shift));
}

/** Sums modulo 2 of the path bits at the distances back that the ones of `taps` say. */
function sumBits(taps: number, before: Int32Array, own: Int32Array, target: Int32Array): void {
  target.fill(0);
  for (let delay = 0; delay <= 8; delay++) {
    if (((taps >>> delay) & 1) === 0) continue;
    for (let i = 0; i < own.length; i++) {
      target[i]! ^= delay === 0 ? own[i]! : (own[i]! << delay) | (before[i]! >>> (32 - delay));
    }
  }
}
