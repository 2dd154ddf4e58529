import { full, InputError, Rng, type RngState, zeros } from '@palimpsest/tensor-core';
import { type Batch, type BatchSource, IGNORED_TARGET } from '../data/batch.js';
import type { JsonObject } from '../sequence-model.js';

/** One sequence of a generated task. */
export interface TaskExample {
  /** What the model reads. */
  readonly inputs: Int32Array;
  /** What is expected after each input, or -1 where nothing is asked; as long as the inputs. */
  readonly targets: Int32Array;
}

/** Draws an example. All examples of one drawing are equally long. */
export type Draw = (rng: Rng) => TaskExample;

/** An example without any question: fillers are set and targets added by whoever draws. */
export function blankExample(length: number, filler: number): TaskExample {
  return {
    inputs: new Int32Array(length).fill(filler),
    targets: new Int32Array(length).fill(IGNORED_TARGET),
  };
}

export interface GeneratedOptions {
  /** What places in the stream are called; those of another task are refused. */
  readonly name: string;
  readonly batch: number;
  /** Tokens per sequence: the longest that is drawn. Shorter ones stand at the start, before tokens that nothing asks about. */
  readonly time: number;
  readonly seed: number;
}

/**
 * Batches of examples that are drawn as they are needed, never stored: no example is seen twice. With several ways of
 * drawing (lengths, numbers of pairs), every example comes from one of them at random.
 */
export class GeneratedExamples implements BatchSource {
  readonly batch: number;
  readonly time: number;
  readonly carriesState = false;
  readonly hasIgnoredTargets = true;
  readonly #draws: readonly Draw[];
  readonly #name: string;
  #rng: Rng;

  constructor(draws: readonly Draw[], { name, batch, time, seed }: GeneratedOptions) {
    this.batch = batch;
    this.time = time;
    this.#draws = draws;
    this.#name = name;
    this.#rng = Rng.fromSeed(seed);
  }

  next(): Batch {
    const { batch, time } = this;
    const inputs = zeros([batch, time], 'int32');
    const targets = full([batch, time], IGNORED_TARGET, 'int32');
    for (let row = 0; row < batch; row++) {
      const example = this.#draws[this.#rng.int(this.#draws.length)]!(this.#rng);
      inputs.data.set(example.inputs, row * time);
      targets.data.set(example.targets, row * time);
    }
    return { inputs, targets, resets: full([batch], 1, 'int32') };
  }

  cursor(): JsonObject {
    return { kind: this.#name, rng: [...this.#rng.state()] };
  }

  seek(cursor: JsonObject): void {
    if (cursor.kind !== this.#name) {
      throw new InputError(`A place in '${this.#name}' was expected, but this is one in '${cursor.kind}'.`);
    }
    this.#rng = Rng.fromState(cursor.rng as RngState);
  }
}
