import {
  adamw,
  crossEntropy,
  disposeTree,
  type Engine,
  type NDArray,
  ndarray,
  Rng,
  tf,
  valueAndGradient,
  zeros,
} from '@palimpsest/tensor-core';

/** What a linear probe reads out of memories that it was not trained on. */
export interface ProbeResult {
  /** Share of answers right that all slots give together (logits averaged over slots). */
  readonly together: number;
  /** The same of the single slots, memory by memory. */
  readonly slots: readonly number[];
}

interface Probe<T> {
  /** [slots, width, classes] and [slots, classes]: every slot has a map of its own. */
  readonly weight: T;
  readonly bias: T;
}

export interface ProbeOptions {
  /** Answers that there are. */
  readonly classes: number;
  /** Passes over the memories that train the probe. */
  readonly epochs: number;
  readonly learningRate: number;
  readonly seed: number;
}

const BATCH = 64;

/**
 * Is the fact still in the memory? A linear map from every slot to the answers, logits averaged over slots, is trained on the
 * first half of the memories and tested on the second.
 * @param memory [texts, …, slots, width]
 * @param labels which answer each text told
 */
export async function probeMemory(
  engine: Engine,
  memory: NDArray,
  labels: Int32Array,
  options: ProbeOptions,
): Promise<ProbeResult> {
  const [texts, width] = [memory.shape[0]!, memory.shape.at(-1)!];
  const slots = memory.data.length / texts / width;
  const rows = (from: number, to: number) => ({
    x: ndarray(Float32Array.from(memory.data.slice(from * slots * width, to * slots * width)), [
      to - from,
      slots,
      width,
    ]),
    y: ndarray(labels.slice(from, to), [to - from], 'int32'),
  });
  const half = Math.floor(texts / 2);
  const probe = await trainProbe(engine, rows, half, [slots, width], options);
  const score = engine.compile((p: Probe<tf.Tensor>, x: tf.Tensor) => slotLogits(p, x), { name: 'probe' });
  const logits = await score(probe, rows(half, texts).x);
  const values = (await logits.data()) as Float32Array;
  disposeTree([logits, probe]);
  await score.dispose();
  return countHits(values, labels.subarray(half), slots, options.classes);
}

async function trainProbe(
  engine: Engine,
  rows: (from: number, to: number) => { x: NDArray; y: NDArray },
  texts: number,
  [slots, width]: readonly [number, number],
  { classes, epochs, learningRate, seed }: ProbeOptions,
) {
  const optimiser = adamw({ weightDecay: 0 });
  const start: Probe<NDArray> = { weight: zeros([slots, width, classes]), bias: zeros([slots, classes]) };
  const step = engine.compile(
    (
      { probe, moments }: { probe: Probe<tf.Tensor>; moments: Parameters<typeof optimiser.update>[2] },
      x: tf.Tensor,
      y: tf.Tensor1D,
    ) => {
      const { gradients } = valueAndGradient(
        (current: Probe<tf.Tensor>) => crossEntropy(tf.mean(slotLogits(current, x), 1) as tf.Tensor2D, y),
        probe,
      );
      const next = optimiser.update(probe, gradients, moments as never, {
        learningRate: tf.scalar(learningRate),
      });
      return { probe: next.parameters, moments: next.state };
    },
    { name: 'train probe', donate: [0] },
  );
  const run = step as unknown as (
    state: unknown,
    x: NDArray,
    y: NDArray,
  ) => Promise<{ probe: unknown; moments: unknown }>;
  let state: { probe: unknown; moments: unknown } = { probe: start, moments: optimiser.init(start) };
  const rng = Rng.fromSeed(seed);
  const batches = Math.ceil(texts / BATCH);
  for (let epoch = 0; epoch < epochs; epoch++) {
    for (const index of rng.permutation(batches)) {
      const { x, y } = rows(index * BATCH, Math.min(texts, (index + 1) * BATCH));
      state = await run(state, x, y);
    }
  }
  disposeTree(state.moments);
  await step.dispose();
  return state.probe as Probe<NDArray>;
}

/** [batch, slots, classes] from memories [batch, slots, width]. */
function slotLogits({ weight, bias }: Probe<tf.Tensor>, x: tf.Tensor): tf.Tensor {
  const bySlot = tf.matMul(tf.transpose(x, [1, 0, 2]), weight);
  return tf.add(tf.transpose(bySlot, [1, 0, 2]), bias);
}

function countHits(logits: Float32Array, labels: Int32Array, slots: number, classes: number): ProbeResult {
  const hits = new Array<number>(slots).fill(0);
  let together = 0;
  labels.forEach((label, text) => {
    const mean = new Float64Array(classes);
    for (let slot = 0; slot < slots; slot++) {
      const at = (text * slots + slot) * classes;
      const row = logits.subarray(at, at + classes);
      row.forEach((value, c) => {
        mean[c]! += value;
      });
      if (row.indexOf(Math.max(...row)) === label) hits[slot]! += 1;
    }
    if (mean.indexOf(Math.max(...mean)) === label) together += 1;
  });
  return { together: together / labels.length, slots: hits.map((count) => count / labels.length) };
}
