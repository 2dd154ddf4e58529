import { type Batch, type BatchSource, IGNORED_TARGET, type JsonObject } from '@palimpsest/lm';
import { Rng, type RngState, zeros } from '@palimpsest/tensor-core';

/** One text of a task: its tokens, and for every token what must follow it (-1: does not count). */
export interface TaskExample {
  readonly inputs: Int32Array;
  readonly targets: Int32Array;
  /** Group in which the example is scored, such as the depth of a needle. */
  readonly slice: string;
}

/** A task that cannot be solved without memory. */
export interface RetrievalTask {
  readonly name: string;
  readonly vocabSize: number;
  /** Tokens per example. */
  readonly time: number;
  /** Accuracy of guessing among the possible answers. */
  readonly chance: number;
  example(rng: Rng): TaskExample;
}

/** A batch of examples with the slice of every row. */
export interface TaskBatch extends Batch {
  readonly slices: readonly string[];
}

/** Stacks examples of a task. */
export function taskBatch(task: RetrievalTask, rng: Rng, batch: number): TaskBatch {
  const shape = [batch, task.time];
  const inputs = zeros(shape, 'int32');
  const targets = zeros(shape, 'int32');
  const slices = Array.from({ length: batch }, (_, row) => {
    const example = task.example(rng);
    inputs.data.set(example.inputs, row * task.time);
    targets.data.set(example.targets, row * task.time);
    return example.slice;
  });
  const resets = zeros([batch], 'int32');
  resets.data.fill(1);
  return { inputs, targets, resets, slices };
}

/** An endless stream of fresh examples, for training. */
export class TaskSource implements BatchSource {
  readonly carriesState = false;
  readonly hasIgnoredTargets = true;
  readonly time: number;
  #rng: Rng;

  constructor(
    private readonly task: RetrievalTask,
    readonly batch: number,
    seed: number,
  ) {
    this.time = task.time;
    this.#rng = Rng.fromSeed(seed);
  }

  next(): TaskBatch {
    return taskBatch(this.task, this.#rng, this.batch);
  }

  cursor(): JsonObject {
    return { state: this.#rng.state() };
  }

  seek(cursor: JsonObject): void {
    this.#rng = Rng.fromState(cursor.state as unknown as RngState);
  }
}

/** Targets that do not count, except those that are given by place. */
export function targetsAt(time: number, wanted: Iterable<readonly [number, number]>): Int32Array {
  const targets = new Int32Array(time).fill(IGNORED_TARGET);
  for (const [place, token] of wanted) targets[place] = token;
  return targets;
}
