import type { CodeHead } from '../coders/code-head.js';
import type { TransformState } from '../coders/transform-state.js';
import { dotAt, type FloatArray, timesVector } from '../linalg/matrix.js';
import { type CodeRows, LOOK_UP_BITS, PackedRows } from './code-rows.js';
import { addScores, type LookUp, type ScorePlan } from './row-scores.js';

/**
 * Codes of a transform coder as they are. A query is worked into one table per group of neighbouring components; a code then
 * costs one look-up per group, whatever the components are.
 */
export class ScalarRows implements CodeRows {
  readonly #state: TransformState;
  readonly #head: CodeHead;
  readonly #rows: PackedRows;
  readonly #plan: ScorePlan;

  /** @param levels of components with b bits */
  constructor(state: TransformState, head: CodeHead, levels: readonly Float64Array[], bytesPerVec: number) {
    this.#state = state;
    this.#head = head;
    this.#rows = new PackedRows(bytesPerVec);
    this.#plan = { lookUps: lookUpsOf(state.bits, levels, head.bits), path: null };
  }

  set(row: number, code: Uint8Array): void {
    const at = this.#rows.place(row);
    this.#rows.bytes.set(code, at);
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

/** Neighbouring components with bits, as many together as one look-up takes. */
function lookUpsOf(bits: Int32Array, levels: readonly Float64Array[], from: number): LookUp[] {
  const lookUps: LookUp[] = [];
  const coded = [...bits.keys()].filter((i) => bits[i]! > 0);
  let position = from;
  for (let start = 0; start < coded.length; ) {
    let [end, width] = [start, 0];
    while (end < coded.length && (end === start || width + bits[coded[end]!]! <= LOOK_UP_BITS)) {
      width += bits[coded[end]!]!;
      end += 1;
    }
    const terms = coded.slice(start, end).map((weight) => ({ levels: levels[bits[weight]!]!, weight }));
    lookUps.push({ position, width, codes: 0, first: 0, terms, order: null });
    position += width;
    start = end;
  }
  return lookUps;
}
