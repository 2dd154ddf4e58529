import { IGNORED_TARGET } from '@palimpsest/lm';
import { type Engine, type NDArray, Rng, tf } from '@palimpsest/tensor-core';
import { takeToHost } from '../host.js';
import type { OsamModel } from '../model.js';
import type { OsamParams } from '../parameters.js';
import { type RetrievalTask, taskBatch } from './retrieval-task.js';

export interface TaskScore {
  /** Share of right answers among the positions that count. */
  readonly accuracy: number;
  /** Positions that counted. */
  readonly answers: number;
  readonly slices: readonly { readonly name: string; readonly accuracy: number; readonly answers: number }[];
}

/** Accuracy of a model on fresh examples of a task; another seed gives other examples. */
export async function scoreTask(
  engine: Engine,
  model: OsamModel,
  params: OsamParams<NDArray>,
  task: RetrievalTask,
  { batches = 4, batch = 64, seed = 12_345 } = {},
): Promise<TaskScore> {
  const predict = engine.compile(
    (p: OsamParams, x: tf.Tensor2D) => {
      const { logits } = model.forward(p, x, model.initState(p, batch), { training: false });
      return tf.argMax(logits, 2) as tf.Tensor;
    },
    { name: `${task.name} answers`, freeze: [0] },
  );
  const rng = Rng.fromSeed(seed);
  const tally = new Map<string, { right: number; answers: number }>();
  for (let i = 0; i < batches; i++) {
    const { inputs, targets, slices } = taskBatch(task, rng, batch);
    const answers = (await takeToHost(await predict(params as never, inputs as never))) as unknown as NDArray;
    targets.data.forEach((target, at) => {
      if (target === IGNORED_TARGET) return;
      const name = slices[Math.floor(at / task.time)]!;
      const entry = tally.get(name) ?? { right: 0, answers: 0 };
      entry.answers += 1;
      if (answers.data[at] === target) entry.right += 1;
      tally.set(name, entry);
    });
  }
  await predict.dispose();
  const all = [...tally.values()];
  const sum = (pick: (entry: { right: number; answers: number }) => number) =>
    all.reduce((total, entry) => total + pick(entry), 0);
  return {
    accuracy: sum(({ right }) => right) / sum(({ answers }) => answers),
    answers: sum(({ answers }) => answers),
    slices: [...tally.entries()]
      .sort(([a], [b]) => a.localeCompare(b, 'en', { numeric: true }))
      .map(([name, { right, answers }]) => ({ name, accuracy: right / answers, answers })),
  };
}
