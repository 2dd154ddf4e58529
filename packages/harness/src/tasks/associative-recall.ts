import { type Batch, type BatchSource, IGNORED_TARGET, type JsonObject } from '@palimpsest/lm';
import { full, InputError, Rng, type RngState, zeros } from '@palimpsest/tensor-core';

export interface AssociativeRecallOptions {
  /** Pairs to remember, 1 to `keys`. */
  readonly pairs: number;
  /** Sequences per batch. */
  readonly batch: number;
  readonly seed: number;
  /** Different keys; values are as many other symbols. Default 16. */
  readonly keys?: number;
}

/**
 * Associative recall: `pairs` random pairs of a key and a value, every key once, then the same keys in another random
 * order, each followed by its value. Only those values count, so chance is 1 / keys. Symbols 0 .. keys - 1 are keys,
 * keys .. 2 keys - 1 are values.
 *
 * A sequence has 4 pairs tokens; inputs are all of them but the last, `time = 4 pairs - 1`.
 */
export class AssociativeRecall implements BatchSource {
  readonly batch: number;
  readonly time: number;
  readonly carriesState = false;
  readonly hasIgnoredTargets = true;
  readonly pairs: number;
  readonly keys: number;
  readonly vocabSize: number;
  #rng: Rng;

  /** @throws InputError when there are more pairs than keys, or none. */
  constructor(options: AssociativeRecallOptions) {
    const { pairs, batch, seed, keys = 16 } = options;
    if (!(Number.isInteger(pairs) && pairs >= 1 && pairs <= keys)) {
      throw new InputError(`Recall needs 1 to ${keys} pairs, one per key, but ${pairs} were asked for.`);
    }
    this.batch = batch;
    this.time = 4 * pairs - 1;
    this.pairs = pairs;
    this.keys = keys;
    this.vocabSize = 2 * keys;
    this.#rng = Rng.fromSeed(seed);
  }

  next(): Batch {
    const { batch, time } = this;
    const inputs = zeros([batch, time], 'int32');
    const targets = full([batch, time], IGNORED_TARGET, 'int32');
    for (let lane = 0; lane < batch; lane++) {
      const sequence = this.#sequence();
      inputs.data.set(sequence.subarray(0, time), lane * time);
      for (let query = 2 * this.pairs; query < time; query += 2) {
        targets.data[lane * time + query] = sequence[query + 1]!;
      }
    }
    return { inputs, targets, resets: full([batch], 1, 'int32') };
  }

  cursor(): JsonObject {
    return { kind: 'associative-recall', rng: [...this.#rng.state()] };
  }

  seek(cursor: JsonObject): void {
    if (cursor.kind !== 'associative-recall') {
      throw new InputError(
        `A place in associative recall was expected, but this is one in '${cursor.kind}'.`,
      );
    }
    this.#rng = Rng.fromState(cursor.rng as RngState);
  }

  #sequence(): Int32Array {
    const { pairs, keys } = this;
    const chosen = this.#rng.permutation(keys).subarray(0, pairs);
    const values = Int32Array.from({ length: pairs }, () => keys + this.#rng.int(keys));
    const order = this.#rng.permutation(pairs);
    const sequence = new Int32Array(4 * pairs);
    for (let i = 0; i < pairs; i++) {
      sequence.set([chosen[i]!, values[i]!], 2 * i);
      sequence.set([chosen[order[i]!]!, values[order[i]!]!], 2 * (pairs + i));
    }
    return sequence;
  }
}
