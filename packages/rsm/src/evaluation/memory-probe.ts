import {
  adamw,
  type Compiled,
  crossEntropy,
  type DeviceArray,
  type Engine,
  type NDArray,
  ndarray,
  Rng,
  tf,
  treeLeaves,
  valueAndGradient,
  zeros,
} from '@palimpsest/tensor-core';
import type { AnswerTask } from './answer-task.js';
import { type MemoryStream, rowsOf } from './memory-stream.js';
import { type Proportion, proportion } from './proportion.js';

/** What a linear probe reads out of a memory, some chunks after the fact was told. */
export interface ProbeResult {
  /** Chunks read since the fact. */
  readonly age: number;
  /** Held-out accuracy of the answer that all slots give together (logits averaged over slots). */
  readonly together: Proportion;
  /** Held-out accuracy of the single slots, memory by memory. */
  readonly slots: readonly number[];
  readonly chance: number;
}

export interface ProbeOptions {
  readonly chunk: number;
  /** Chunks after the fact's own at which the memory is probed. Default 0, 1, 2, 4, 8. */
  readonly ages?: readonly number[];
  /** Texts that train the probe, and as many again that test it. Default 512. */
  readonly texts?: number;
  /** Default 10. */
  readonly epochs?: number;
  readonly learningRate?: number;
  readonly seed?: number;
}

interface Probe<T> {
  readonly weight: T;
  readonly bias: T;
}

const BATCH = 64;

/**
 * Is the fact still in the memory? A linear map from every slot to the answers, logits averaged over slots, is trained on
 * memories of some texts and tested on those of others, at several ages of the fact.
 */
export async function probeMemory(
  engine: Engine,
  stream: MemoryStream,
  task: AnswerTask,
  options: ProbeOptions,
): Promise<ProbeResult[]> {
  const { chunk, ages = [0, 1, 2, 4, 8], texts = 512, seed = 0 } = options;
  const oldest = Math.max(...ages);
  const memories = await memoriesByAge(stream, task, { chunk, oldest, texts: 2 * texts, seed });
  const results: ProbeResult[] = [];
  for (const age of ages) {
    const trainer = new ProbeTrainer(engine, task.answers.length, options);
    results.push(await trainer.run(age, memories.at(age), memories.labels, texts));
  }
  return results;
}

/** Memories after every age, and which answer each text told in its first chunk. */
async function memoriesByAge(
  stream: MemoryStream,
  task: AnswerTask,
  size: { chunk: number; oldest: number; texts: number; seed: number },
) {
  const { chunk, oldest, texts, seed } = size;
  const rng = Rng.fromSeed(seed);
  const length = chunk * (oldest + 2);
  // The fact stands in the first chunk: the question of that difficulty whose answer is told as early as it can be.
  const questions = Array.from({ length: texts }, () => task.question(rng, length, task.hardest(length)));
  const tokens = questions.map((question) => question.tokens);
  let state = await stream.initState(texts);
  const memories: NDArray[] = [];
  for (let age = 0; age <= oldest; age++) {
    ({ state } = await stream.read(rowsOf(tokens, age * chunk, (age + 1) * chunk), state));
    memories.push(state.memory);
  }
  return {
    at: (age: number) => slotsOf(memories[age]!),
    labels: Int32Array.from(questions, ({ answer }) => task.answers.indexOf(answer)),
  };
}

/** The memories of all layers side by side: [texts, all slots, width]. */
function slotsOf({ data, shape }: NDArray): NDArray {
  const [texts, width] = [shape[0]!, shape.at(-1)!];
  return ndarray(Float32Array.from(data), [texts, data.length / texts / width, width]);
}

type Parameters = Probe<tf.Tensor>;

class ProbeTrainer {
  readonly #engine: Engine;
  readonly #classes: number;
  readonly #options: Required<Pick<ProbeOptions, 'epochs' | 'learningRate' | 'seed'>>;

  constructor(engine: Engine, classes: number, { epochs = 10, learningRate = 1e-3, seed = 0 }: ProbeOptions) {
    this.#engine = engine;
    this.#classes = classes;
    this.#options = { epochs, learningRate, seed };
  }

  /** Trains on the first `texts` memories and tests on the rest. */
  async run(age: number, memories: NDArray, labels: Int32Array, texts: number): Promise<ProbeResult> {
    const [all, slots, width] = memories.shape as [number, number, number];
    const part = (from: number, to: number) => ({
      x: ndarray(memories.data.slice(from * slots * width, to * slots * width) as Float32Array, [
        to - from,
        slots,
        width,
      ]),
      y: ndarray(labels.slice(from, to), [to - from], 'int32'),
    });
    const probe = await this.#train(part, texts, slots, width);
    const test = part(texts, all);
    const score = this.#engine.compile((p: Parameters, x: tf.Tensor) => slotLogits(p, x), { name: 'probe' });
    const logits = await score(probe as never, test.x);
    const values = (await logits.data()) as Float32Array;
    logits.dispose();
    for (const { leaf } of treeLeaves<DeviceArray>(probe)) leaf.dispose();
    await score.dispose();
    return this.#count(age, values, test.y.data as Int32Array, slots);
  }

  async #train(
    part: (from: number, to: number) => { x: NDArray; y: NDArray },
    texts: number,
    slots: number,
    width: number,
  ): Promise<unknown> {
    const { epochs, learningRate, seed } = this.#options;
    const optimiser = adamw({ weightDecay: 0 });
    const step = this.#engine.compile(
      (p: Parameters, moments: ReturnType<typeof optimiser.init>, x: tf.Tensor, y: tf.Tensor) => {
        const { gradients } = valueAndGradient(
          (weights: Parameters) =>
            crossEntropy(tf.mean(slotLogits(weights, x), 1) as tf.Tensor2D, y as tf.Tensor1D),
          p,
        );
        const next = optimiser.update(p, gradients, moments as never, {
          learningRate: tf.scalar(learningRate),
        });
        return { parameters: next.parameters, state: next.state };
      },
      { name: 'train probe', donate: [0, 1] },
    ) as unknown as Compiled<readonly unknown[], { parameters: unknown; state: unknown }>;
    let parameters: unknown = {
      weight: zeros([slots, width, this.#classes]),
      bias: zeros([slots, this.#classes]),
    };
    let moments: unknown = optimiser.init(parameters as never);
    const rng = Rng.fromSeed(seed);
    const batches = Math.max(1, Math.floor(texts / BATCH));
    for (let epoch = 0; epoch < epochs; epoch++) {
      for (const index of rng.permutation(batches)) {
        const { x, y } = part(index * BATCH, Math.min(texts, (index + 1) * BATCH));
        const next = (await step(parameters, moments, x, y)) as { parameters: unknown; state: unknown };
        ({ parameters, state: moments } = next);
      }
    }
    for (const { leaf } of treeLeaves<DeviceArray>(moments)) leaf.dispose?.();
    await step.dispose();
    return parameters;
  }

  #count(age: number, logits: Float32Array, labels: Int32Array, slots: number): ProbeResult {
    const classes = this.#classes;
    const hits = new Int32Array(slots);
    let together = 0;
    labels.forEach((label, text) => {
      const mean = new Float64Array(classes);
      for (let slot = 0; slot < slots; slot++) {
        const at = (text * slots + slot) * classes;
        const row = logits.subarray(at, at + classes);
        row.forEach((value, c) => {
          mean[c]! += value;
        });
        if (argMax(row) === label) hits[slot]! += 1;
      }
      if (argMax(mean) === label) together += 1;
    });
    return {
      age,
      together: proportion(together, labels.length),
      slots: Array.from(hits, (count) => count / labels.length),
      chance: 1 / classes,
    };
  }
}

/** [batch, slots, classes] from memories [batch, slots, width]: every slot has a map of its own. */
function slotLogits({ weight, bias }: Parameters, x: tf.Tensor): tf.Tensor {
  const bySlot = tf.transpose(x, [1, 0, 2]);
  return tf.add(tf.transpose(tf.matMul(bySlot as tf.Tensor3D, weight as tf.Tensor3D), [1, 0, 2]), bias);
}

function argMax(values: ArrayLike<number>): number {
  let best = 0;
  for (let index = 1; index < values.length; index++) if (values[index]! > values[best]!) best = index;
  return best;
}
