import { full, InputError, Rng, type RngState } from '@palimpsest/tensor-core';
import type { JsonObject } from '../sequence-model.js';
import { type Batch, type BatchSource, IGNORED_TARGET } from './batch.js';
import { isPlace } from './cursor.js';

/** One text to learn, such as a question with its answer. */
export interface Example {
  readonly ids: ArrayLike<number>;
  /**
   * As long as `ids`: 0 or false for tokens that are read but not learnt, such as those of a question. Default: all are learnt.
   * The first token is never learnt, since nothing stands before it.
   */
  readonly learnt?: ArrayLike<number | boolean>;
}

export interface PaddedExamplesOptions {
  readonly batch: number;
  /** Longest input in tokens; an example has one more at most. */
  readonly time: number;
  readonly seed?: number;
  /** What stands behind the end of an example; never learnt. Default 0. */
  readonly paddingId?: number;
  /**
   * Lengths of inputs to which examples are padded, such as `lengthBuckets(time)`. A batch holds examples of one of them, and
   * every length has a graph of its own. Default: `time` alone.
   */
  readonly lengths?: readonly number[];
}

interface Planned {
  readonly time: number;
  readonly examples: readonly number[];
}

/**
 * Whole examples side by side, each from a fresh memory, padded at the end. Every epoch takes each example once, in a new
 * random order; a last batch of a length may have rows without an example. Padding and tokens that are not to be learnt have
 * the target -1, which the loss leaves out: it is the mean over the tokens that are learnt.
 */
export class PaddedExamples implements BatchSource {
  readonly batch: number;
  readonly time: number;
  readonly carriesState = false;
  readonly hasIgnoredTargets = true;
  readonly #examples: readonly Example[];
  readonly #lengths: readonly number[];
  readonly #paddingId: number;
  #rng: Rng;
  /** State of the generator before the order of this epoch was drawn. */
  #epoch: RngState;
  #plan: readonly Planned[];
  #next = 0;

  /** @throws InputError for an example that is too short, too long or has nothing to learn, and for bad options. */
  constructor(examples: readonly Example[], options: PaddedExamplesOptions) {
    const { batch, time, seed = 0, paddingId = 0, lengths = [time] } = options;
    checkCount('batch', batch);
    checkCount('time', time);
    this.batch = batch;
    this.time = time;
    this.#paddingId = paddingId;
    this.#lengths = [...new Set([...lengths.filter((length) => length < time), time])].sort((a, b) => a - b);
    for (const length of lengths) checkCount('lengths', length);
    if (examples.length === 0)
      throw new InputError('Training on examples needs at least one, but there is none.');
    for (const [index, example] of examples.entries()) checkExample(example, index, time);
    this.#examples = examples;
    this.#rng = Rng.fromSeed(seed);
    this.#epoch = this.#rng.state();
    this.#plan = this.#draw();
  }

  next(): Batch {
    if (this.#next === this.#plan.length) {
      this.#epoch = this.#rng.state();
      this.#plan = this.#draw();
      this.#next = 0;
    }
    const { time, examples } = this.#plan[this.#next]!;
    this.#next += 1;
    const inputs = full([this.batch, time], this.#paddingId, 'int32');
    const targets = full([this.batch, time], IGNORED_TARGET, 'int32');
    examples.forEach((index, row) => {
      const { ids, learnt } = this.#examples[index]!;
      for (let place = 0; place + 1 < ids.length; place++) {
        inputs.data[row * time + place] = ids[place]!;
        if (!learnt || learnt[place + 1]) targets.data[row * time + place] = ids[place + 1]!;
      }
    });
    return { inputs, targets, resets: full([this.batch], 1, 'int32') };
  }

  cursor(): JsonObject {
    return {
      kind: 'padded-examples',
      rng: [...this.#epoch],
      next: this.#next,
      examples: this.#examples.length,
      batches: this.#plan.length,
    };
  }

  seek(cursor: JsonObject): void {
    const { kind, rng, next, examples, batches } = cursor;
    const fits = examples === this.#examples.length && batches === this.#plan.length;
    if (kind !== 'padded-examples' || !fits || !isPlace(next, this.#plan.length + 1)) {
      throw new InputError(
        `A place in ${this.#plan.length} batches of ${this.#examples.length} examples was expected, but the stored one is of '${kind}' with ${batches ?? 'no'} batches of ${examples ?? 'no'} examples; give the examples and options of the run that is resumed.`,
      );
    }
    this.#epoch = rng as RngState;
    this.#rng = Rng.fromState(this.#epoch);
    this.#plan = this.#draw();
    this.#next = next;
  }

  /** The batches of one epoch. */
  #draw(): Planned[] {
    const byLength = new Map<number, number[]>();
    for (const index of this.#rng.permutation(this.#examples.length)) {
      const time = this.#lengths.find((length) => length >= this.#examples[index]!.ids.length - 1)!;
      const others = byLength.get(time);
      if (others) others.push(index);
      else byLength.set(time, [index]);
    }
    const batches = this.#lengths.flatMap((time) => {
      const examples = byLength.get(time) ?? [];
      return Array.from({ length: Math.ceil(examples.length / this.batch) }, (_, part) => ({
        time,
        examples: examples.slice(part * this.batch, (part + 1) * this.batch),
      }));
    });
    return Array.from(this.#rng.permutation(batches.length), (index) => batches[index]!);
  }
}

function checkCount(name: string, value: number): void {
  if (Number.isInteger(value) && value > 0) return;
  throw new InputError(
    `Batches of examples need '${name}' as positive whole numbers, but ${value} was given.`,
  );
}

function checkExample({ ids, learnt }: Example, index: number, time: number): void {
  const count = ids.length;
  if (count < 2 || count > time + 1) {
    throw new InputError(
      `Example ${index} has ${count} tokens, but 2 to ${time + 1} are needed; ${count < 2 ? 'leave it out' : "cut it or raise 'time'"}.`,
    );
  }
  if (!learnt) return;
  if (learnt.length !== count) {
    throw new InputError(
      `Example ${index} has ${count} tokens, but ${learnt.length} marks of which are learnt; give one mark for each.`,
    );
  }
  for (let place = 1; place < count; place++) if (learnt[place]) return;
  throw new InputError(
    `Example ${index} marks no token behind its first as learnt; mark at least one or leave it out.`,
  );
}
