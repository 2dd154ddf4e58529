import { createTransformer, type Transformer, type TransformerParameters } from '@palimpsest/backbone';
import { type Draw, GeneratedExamples, IGNORED_TARGET } from '@palimpsest/lm';
import { createEngine, InputError, type NDArray } from '@palimpsest/tensor-core';
import type { NAMMConfig } from '../config.js';
import { parameterCount } from '../scorer/layout.js';
import type { EvolvedPolicy } from './policy-file.js';
import type { EvolutionTask } from './tasks/evolution-task.js';
import { recalibrate } from './transfer.js';
import type { PopulationRunner } from './trial.js';
import { type WarmStartParameters, warmStart } from './warm-start.js';

/** Texts by which features are normalised, and texts of a step. */
const [CALIBRATION, BATCH] = [4, 2];

export interface FirstPolicyOptions {
  readonly model: { readonly transformer: Transformer; readonly params: TransformerParameters<NDArray> };
  readonly config: NAMMConfig;
  /** Over the model; estimates what features are normalised by. */
  readonly runner: PopulationRunner;
  /** Their training samples are the texts of the descent. */
  readonly tasks: readonly EvolutionTask[];
  /** Steps of the descent. */
  readonly steps: number;
  /** Nats that an entry costs. */
  readonly price: number;
  readonly threads: number;
  readonly seed: number;
  readonly signal?: AbortSignal | undefined;
  note(line: string): void;
}

/** A configuration whose statistics are those of its first policy, and stay. */
export const withFrozenStatistics = (config: NAMMConfig): NAMMConfig =>
  config.normalise ? { ...config, normalise: { ...config.normalise, freezeAfter: 0 } } : config;

/**
 * EXPERIMENTAL. What an evolution begins with after a descent on the texts of its tasks, with the cache weighted instead of emptied.
 * @returns nothing when it was interrupted
 * @throws InputError for tasks whose texts end before the first update.
 */
export async function firstPolicy(options: FirstPolicyOptions): Promise<EvolvedPolicy | undefined> {
  const { model, config, runner, tasks, steps, price, threads, seed, signal } = options;
  const texts = Array.from({ length: CALIBRATION }, (_, index) =>
    textOf(tasks[index % tasks.length]!, index),
  );
  const time =
    Math.max(...tasks.flatMap((task) => [0, 1, 2, 3].map((index) => textOf(task, index).length))) - 1;
  if (time <= config.updateInterval) {
    throw new InputError(
      `A warm start learns behind the first update, which comes after ${config.updateInterval} tokens, but the texts of the tasks have ${time + 1}; give longer ones (--prompt-tokens) or a smaller --update-interval.`,
    );
  }
  const unlearned = { config, parameters: new Float32Array(parameterCount(config)) };
  const { statistics } = config.normalise
    ? await recalibrate(unlearned, runner, texts)
    : { statistics: undefined };
  const draws = tasks.map(
    (task): Draw =>
      (rng) =>
        exampleOf(textOf(task, rng.int(task.size)), time),
  );
  const source = new GeneratedExamples(draws, { name: 'texts of the tasks', batch: BATCH, time, seed });
  const engine = await createEngine('auto', { threads });
  try {
    const { transformer, params } = model;
    const events = warmStart({
      ...{ engine, params, source, config, statistics, price, signal },
      model: createTransformer({ ...transformer.options, evictable: true, capacity: time }),
      settings: { steps, seed, learningRate: 1e-2, warmupSteps: Math.ceil(steps / 10), telemetry: false },
    });
    for await (const event of events) {
      if (event.type === 'step' && (event.step % 10 === 0 || event.step === steps)) {
        options.note(`warm start, step ${event.step} of ${steps}: ${event.loss.toFixed(4)} nats per token`);
      }
      if (event.type === 'end') {
        const { policy } = event.params as WarmStartParameters<NDArray>;
        return { config, parameters: Float32Array.from(policy.data), statistics };
      }
    }
    return undefined;
  } finally {
    await engine.dispose();
  }
}

/** The whole text of a training sample. */
function textOf(task: EvolutionTask, index: number): Int32Array {
  const { prompt, target = [] } = task.sample('train', index % task.size).trial;
  return Int32Array.of(...prompt, ...target);
}

/** A text of at most `time` tokens and the next one, all of it asked. */
function exampleOf(text: Int32Array, time: number) {
  const ids = text.subarray(0, time + 1);
  const inputs = new Int32Array(time);
  const targets = new Int32Array(time).fill(IGNORED_TARGET);
  inputs.set(ids.subarray(0, -1));
  targets.set(ids.subarray(1));
  return { inputs, targets };
}
