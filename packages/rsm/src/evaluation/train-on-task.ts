import { type AnySequenceModel, train } from '@palimpsest/lm';
import type { Engine } from '@palimpsest/tensor-core';
import { AnswerBatches, type AnswerBatchesOptions, type AnswerTask } from './answer-task.js';

export interface TaskTraining {
  /** Tokens per chunk, and the numbers of chunks that texts have. */
  readonly chunk: number;
  readonly chunks: readonly number[];
  /** Where the facts stand. Default anywhere. */
  readonly placement?: AnswerBatchesOptions['placement'];
  /** Default 1000. */
  readonly steps?: number;
  /** Texts per step. Default 32. */
  readonly batch?: number;
  /** Default 2e-3. */
  readonly learningRate?: number;
  readonly seed?: number;
  readonly signal?: AbortSignal;
  /** Called after every step with the loss of its batch, nats. */
  readonly onStep?: (step: number, steps: number, loss: number) => void;
}

export interface TrainedOnTask {
  /** On the host. */
  readonly params: unknown;
  readonly parameters: number;
  readonly stateBytes: number;
  /** Median over the steps. */
  readonly tokensPerSecond: number;
  /** Loss of the last tenth of the steps, nats per answer. */
  readonly loss: number;
}

/** Trains a model to answer questions of one task: only answers count, gradients flow through all chunks of a text. */
export async function trainOnTask(
  engine: Engine,
  model: AnySequenceModel,
  task: AnswerTask,
  training: TaskTraining,
): Promise<TrainedOnTask> {
  const { chunk, chunks, steps = 1000, batch = 32, learningRate = 2e-3, seed = 0, signal, onStep } = training;
  const { placement = 'anywhere' } = training;
  const source = new AnswerBatches(task, { batch, chunk, chunks, placement, seed: seed + 1 });
  const settings = {
    steps,
    learningRate,
    seed,
    warmupSteps: Math.ceil(steps / 20),
    weightDecay: 0.01,
    betas: [0.9, 0.999] as [number, number],
    telemetry: false,
  };
  const losses: number[] = [];
  const seconds: number[] = [];
  let [params, parameters, bytes]: [unknown, number, number] = [undefined, 0, 0];
  let before = performance.now();
  for await (const event of train({ engine, model, source, settings, ...(signal ? { signal } : {}) })) {
    if (event.type === 'start') [parameters, bytes] = [event.parameters, event.stateBytes];
    if (event.type === 'end') params = event.params;
    if (event.type !== 'step') continue;
    const now = performance.now();
    seconds.push((now - before) / 1000);
    before = now;
    losses.push(event.loss);
    onStep?.(event.step, event.steps, event.loss);
  }
  signal?.throwIfAborted();
  const last = losses.slice(-Math.ceil(losses.length / 10));
  return {
    params,
    parameters,
    stateBytes: bytes,
    tokensPerSecond: (batch * source.time) / Math.max(1e-9, median(seconds)),
    loss: last.reduce((sum, loss) => sum + loss, 0) / last.length,
  };
}

const median = (values: readonly number[]) => [...values].sort((a, b) => a - b)[values.length >> 1]!;
