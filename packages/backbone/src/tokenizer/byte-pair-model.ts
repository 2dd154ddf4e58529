import { InputError } from '@palimpsest/tensor-core';
import type { JsonValue } from '../sequence-model.js';
import { isObject } from './component.js';
import { MinHeap } from './min-heap.js';

/** One symbol of a word while it is merged, in a doubly linked list. */
interface WordSymbol {
  id: number;
  previous: number;
  next: number;
}

interface Merge {
  readonly rank: number;
  readonly result: number;
}

interface Candidate {
  readonly rank: number;
  readonly at: number;
  readonly left: number;
  readonly right: number;
  readonly result: number;
}

const CACHE_LIMIT = 10_000;
const encoder = new TextEncoder();

/** Byte-pair encoding by merge rank (Sennrich et al. 2016), as the `model` of a tokenizer.json describes it. */
export class BytePairModel {
  readonly tokenIds: ReadonlyMap<string, number>;
  readonly #merges = new Map<number, Map<number, Merge>>();
  readonly #cache = new Map<string, readonly number[]>();
  readonly #byteFallback: boolean;
  readonly #ignoreMerges: boolean;
  readonly #fuseUnknown: boolean;
  readonly #unknownId: number | undefined;

  /** @throws InputError for another type of model, or a vocabulary and merges that do not fit together. */
  constructor(model: JsonValue | undefined) {
    if (!isObject(model) || !isObject(model.vocab) || !Array.isArray(model.merges)) {
      throw new InputError(
        "The tokenizer's 'model' has no 'vocab' and 'merges': only byte-pair models can be read.",
      );
    }
    if (model.type !== undefined && model.type !== 'BPE') {
      throw new InputError(`The tokenizer's model is of type '${String(model.type)}'; only BPE can be read.`);
    }
    if (model.continuing_subword_prefix || model.end_of_word_suffix) {
      throw new InputError("The tokenizer's model marks parts of words; such models cannot be read.");
    }
    this.tokenIds = new Map(Object.entries(model.vocab) as [string, number][]);
    this.#byteFallback = model.byte_fallback === true;
    this.#ignoreMerges = model.ignore_merges === true;
    this.#fuseUnknown = model.fuse_unk === true;
    this.#unknownId = typeof model.unk_token === 'string' ? this.tokenIds.get(model.unk_token) : undefined;
    (model.merges as JsonValue[]).forEach((merge, rank) => {
      this.#addMerge(merge, rank);
    });
  }

  /** Ids of one pre-token. */
  encode(word: string): readonly number[] {
    const whole = this.#ignoreMerges ? this.tokenIds.get(word) : undefined;
    if (whole !== undefined) return [whole];
    const known = this.#cache.get(word);
    if (known) return known;
    const ids = this.#merge(this.#initialIds(word));
    if (this.#cache.size >= CACHE_LIMIT) this.#cache.clear();
    this.#cache.set(word, ids);
    return ids;
  }

  #addMerge(merge: JsonValue, rank: number): void {
    const [left, right] = typeof merge === 'string' ? merge.split(' ') : (merge as string[]);
    const ids = [left, right, `${left}${right}`].map((token) => this.tokenIds.get(token ?? ''));
    const [leftId, rightId, result] = ids;
    if (leftId === undefined || rightId === undefined || result === undefined) {
      throw new InputError(
        `The tokenizer's 'model.merges[${rank}]' (${JSON.stringify(merge)}) joins tokens that are not in the vocabulary.`,
      );
    }
    const ofLeft = this.#merges.get(leftId) ?? new Map<number, Merge>();
    if (!ofLeft.has(rightId)) ofLeft.set(rightId, { rank, result });
    this.#merges.set(leftId, ofLeft);
  }

  /** Ids of the characters; a character without an entry becomes its bytes, or the unknown token, or nothing. */
  #initialIds(word: string): number[] {
    const ids: number[] = [];
    let followsUnknown = false;
    for (const character of word) {
      const own = this.tokenIds.get(character);
      const found = own === undefined ? this.#bytesOf(character) : [own];
      if (found) ids.push(...found);
      else if (this.#unknownId !== undefined && !(this.#fuseUnknown && followsUnknown))
        ids.push(this.#unknownId);
      followsUnknown = found === undefined;
    }
    return ids;
  }

  #bytesOf(character: string): number[] | undefined {
    if (!this.#byteFallback) return undefined;
    const ids = Array.from(encoder.encode(character), (byte) =>
      this.tokenIds.get(`<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`),
    );
    return ids.every((id) => id !== undefined) ? (ids as number[]) : undefined;
  }

  /** Merges the pair of lowest rank, the leftmost of them first, until none is left. */
  #merge(ids: readonly number[]): number[] {
    const symbols: WordSymbol[] = ids.map((id, at) => ({
      id,
      previous: at - 1,
      next: at + 1 < ids.length ? at + 1 : -1,
    }));
    const heap = new MinHeap<Candidate>((a, b) => a.rank - b.rank || a.at - b.at);
    const offer = (at: number) => {
      const left = symbols[at];
      const right = left && symbols[left.next];
      const merge = right && this.#merges.get(left.id)?.get(right.id);
      if (merge) heap.push({ ...merge, at, left: left.id, right: right.id });
    };
    for (let at = 0; at < symbols.length; at++) offer(at);
    for (let best = heap.pop(); best; best = heap.pop()) {
      const left = symbols[best.at]!;
      const right = symbols[left.next];
      // A pair that one of its symbols has left in the meantime.
      if (left.id !== best.left || right?.id !== best.right) continue;
      left.id = best.result;
      right.id = -1;
      left.next = right.next;
      if (right.next >= 0) symbols[right.next]!.previous = best.at;
      if (left.previous >= 0) offer(left.previous);
      offer(best.at);
    }
    const merged: number[] = [];
    for (let at = symbols.length > 0 ? 0 : -1; at >= 0; at = symbols[at]!.next) merged.push(symbols[at]!.id);
    return merged;
  }
}
