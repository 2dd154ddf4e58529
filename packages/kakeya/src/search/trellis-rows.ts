import { BitReader, BitWriter } from '../coders/bit-stream.js';
import { type CodeHead, emptyHeads } from '../coders/code-head.js';
import type { Trellis } from '../coders/trellis.js';
import type { TrellisState } from '../coders/trellis-coder.js';
import { subsetOfCode } from '../coders/trellis-search.js';
import { dotAt, type FloatArray, timesVector } from '../linalg/matrix.js';
import { type CodeRows, LOOK_UP_BITS, PackedRows } from './code-rows.js';
import { addScores, type LookUp, type ScorePlan } from './row-scores.js';

/** The components with bits, and the levels of each. */
export interface CodedComponents {
  /** Numbers of the components. */
  readonly indices: Int32Array;
  readonly bits: Int32Array;
  readonly levels: readonly Float64Array[];
}

/** Components whose path bits are found together. */
const WORD = 32;

/**
 * Codes of a trellis coder with the same bits in another order: the head, the path bits of all components, the level bits. The
 * code bits that open subsets are sums of path bits over fixed distances, so that a few shifts find them for 32 components at
 * once; a query is worked into one table per group of components. Scores then take a look-up per group and no walk through
 * the trellis.
 */
export class TrellisRows implements CodeRows {
  readonly #state: TrellisState;
  readonly #head: CodeHead;
  /** Bits of the components that have some. */
  readonly #bits: Int32Array;
  readonly #rows: PackedRows;
  readonly #plan: ScorePlan;

  constructor(
    state: TrellisState,
    head: CodeHead,
    trellis: Trellis,
    coded: CodedComponents,
    bytesPerVec: number,
  ) {
    this.#state = state;
    this.#head = head;
    this.#bits = coded.bits;
    this.#rows = new PackedRows(bytesPerVec);
    const lookUps = lookUpsOf(coded, head.bits + coded.bits.length);
    this.#plan = { lookUps, path: { position: head.bits, taps: trellis.taps } };
  }

  set(row: number, code: Uint8Array): void {
    const reader = new BitReader(code);
    const writer = new BitWriter(this.#rows.width);
    const heads = emptyHeads(1);
    this.#head.read(reader, heads, 0);
    this.#head.write(writer, heads, 0);
    const codes = this.#bits.map((width) => reader.read(width));
    for (const code of codes) writer.write(code & 1, 1);
    codes.forEach((code, p) => {
      writer.write(code >>> 1, this.#bits[p]! - 1);
    });
    const at = this.#rows.place(row);
    this.#rows.bytes.set(writer.bytes, at);
  }

  move(from: number, to: number): void {
    this.#rows.move(from, to);
  }

  scores(query: FloatArray, count: number): Float64Array {
    const { basis, mean, sigma } = this.#state;
    const projected = timesVector(basis, query);
    const constant = dotAt(mean, 0, query, 0, mean.length);
    const sums = this.#head.rowScores(projected, this.#rows, count, constant);
    for (let i = 0; i < projected.length; i++) projected[i]! *= sigma[i]!;
    addScores(this.#rows, this.#plan, projected, sums);
    return sums;
  }
}

/** Neighbouring components, as many together as one look-up takes and one word of path bits holds. */
function lookUpsOf({ indices, bits, levels }: CodedComponents, from: number): LookUp[] {
  const sorted = memoised(
    (p: number) => byCode(levels[p]!),
    (p) => bits[p]!,
  );
  const orders = memoised(
    (own: Int32Array) => orderOf(own),
    (own) => own.join(),
  );
  const lookUps: LookUp[] = [];
  let position = from;
  for (let first = 0; first < bits.length; ) {
    let [end, total] = [first, 0];
    while (end < bits.length && (end === first || end % WORD !== 0)) {
      if (end > first && total + bits[end]! + 1 > LOOK_UP_BITS) break;
      total += bits[end]! + 1;
      end += 1;
    }
    const codes = end - first;
    const terms = Array.from({ length: codes }, (_, j) => {
      return { levels: sorted(first + j), weight: indices[first + j]! };
    });
    const order = codes > 1 ? orders(bits.subarray(first, end)) : null;
    lookUps.push({ position, width: total - 2 * codes, codes, first, terms, order });
    position += total - 2 * codes;
    first = end;
  }
  return lookUps;
}

/** A function whose results are kept by key, so that equal ones are the same array. */
function memoised<A, R>(make: (argument: A) => R, key: (argument: A) => unknown): (argument: A) => R {
  const kept = new Map<unknown, R>();
  return (argument) => {
    const own = key(argument);
    if (!kept.has(own)) kept.set(own, make(argument));
    return kept.get(own)!;
  };
}

/** Levels by first code bit (lowest), second one and number of the level. */
function byCode(levels: Float64Array): Float64Array {
  return levels.map((_, at) => levels[(at & ~3) | subsetOfCode[2 * (at & 1) + ((at >>> 1) & 1)]!]!);
}

/** Where combinations of components (each: first code bit, second one, level) go when all first bits come first. */
function orderOf(bits: Int32Array): Uint16Array {
  const total = bits.reduce((sum, b) => sum + b + 1, 0);
  return Uint16Array.from({ length: 1 << total }, (_, combination) => {
    let [place, rest, levelAt] = [0, combination, 2 * bits.length];
    bits.forEach((b, j) => {
      place |= (rest & 1) << j;
      place |= ((rest >>> 1) & 1) << (bits.length + j);
      place |= ((rest >>> 2) & ((1 << (b - 1)) - 1)) << levelAt;
      levelAt += b - 1;
      rest >>>= b + 1;
    });
    return place;
  });
}
