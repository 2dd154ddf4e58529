import {
  type AnyOptimizer,
  accumulateGradients,
  adamw,
  averaged,
  type Compiled,
  clipByGlobalNorm,
  type DeviceArray,
  disposeTree,
  type Engine,
  type NDArray,
  scheduleFreeAdamW,
  scheduleFreeRAdam,
  sgd,
  type tf,
  toHost,
  treeMap,
  valueAndGradient,
} from '@palimpsest/tensor-core';
import type { Torn } from '../checkpoints/check-arrays.js';
import { treeDifference } from '../checkpoints/check-tree.js';
import { type Batch, type BatchSource, checkCounted } from '../data/batch.js';
import type { AnySequenceModel } from '../sequence-model.js';
import { optimizerGroups, type ParameterRule } from './parameter-rules.js';
import { numbers, takeNumber } from './scalars.js';
import { type TensorBatch, trainingLoss, type Watched } from './training-loss.js';
import type { TrainingSettings } from './training-settings.js';

/** Where an optimiser whose weights to evaluate are others than those that it trains keeps the latter in a checkpoint. */
const TRAINED = 'trainedParameters';

const optimizers = {
  adamw,
  sgd,
  'schedule-free-adamw': scheduleFreeAdamW,
  'schedule-free-radam': scheduleFreeRAdam,
} as const;

/** What changes from step to step besides the text. */
export interface StepInputs {
  readonly learningRate: number;
  /** One int32 [2] key per batch of the step. */
  readonly dropoutKeys: readonly NDArray[];
}

export interface StepMetrics {
  /** Cross-entropy in nats per token, label smoothing included. */
  readonly loss: number;
  /** What the model adds to the loss, when it does. */
  readonly auxiliaryLoss?: number | undefined;
  /** Global norm of the gradients before clipping. */
  readonly gradientNorm: number;
  /** Global norm of the gradients after clipping. */
  readonly clippedNorm: number;
  readonly telemetry: Readonly<Record<string, number>>;
}

interface Backward {
  readonly gradients: unknown;
  readonly memory: unknown;
  readonly watched: Watched;
}

interface Updated {
  readonly params: unknown;
  readonly optimizer: unknown;
  readonly gradientNorm: tf.Tensor;
}

type OnDevice<T> = { readonly [K in keyof T]: T[K] extends tf.Tensor ? DeviceArray : T[K] };
type Result = { watched: unknown; memory?: unknown; gradients?: unknown } & Partial<OnDevice<Updated>>;
type Run = (...args: readonly unknown[]) => Promise<Result>;

/** The arrays of a training run, on the host. */
export interface TrainingArrays {
  readonly params: unknown;
  readonly optimizer: unknown;
  readonly memory?: unknown;
}

/**
 * One optimiser step as one compiled function: forward, backward, clipping, AdamW and the memory that goes on to the next
 * batch. Parameters, optimiser state and memory live on the engine and are donated to each call. With gradient accumulation
 * the batches of a step run one by one and a last call applies their mean.
 */
export class TrainingStep {
  readonly #optimizer: AnyOptimizer;
  readonly #compiled: Compiled<never, unknown>[] = [];
  readonly #whole: Run;
  readonly #backward: Run;
  readonly #apply: Run;
  readonly #average: (params: unknown, optimizer: unknown) => Promise<unknown>;
  #params: unknown;
  #averaged: unknown;
  #optimizerState: unknown;
  #memory: unknown;

  constructor(
    private readonly engine: Engine,
    private readonly model: AnySequenceModel,
    private readonly source: BatchSource,
    private readonly settings: TrainingSettings,
    private readonly rules: readonly ParameterRule[],
  ) {
    const { optimizer, betas, epsilon, weightDecay, ema } = settings;
    const plain = optimizers[optimizer]({ betas, epsilon, weightDecay, groups: optimizerGroups(rules) });
    this.#optimizer = ema > 0 ? averaged(plain, ema) : plain;
    this.#whole = this.#compile('trainingStep', [0, 1, 2], this.#wholeStep.bind(this));
    this.#backward = this.#compile('accumulateGradients', [1, 2], this.#accumulate.bind(this));
    this.#apply = this.#compile('applyGradients', [0, 1, 2], this.#update.bind(this));
    this.#average = this.#compile('averageParameters', [], (params: unknown, state: unknown) =>
      this.#optimizer.evaluationParameters?.(params, state),
    );
  }

  /** Puts the arrays of a run on the engine; an optimiser or a memory that is left out begins afresh. */
  async begin(params: unknown, { optimizer, memory }: Partial<TrainingArrays> = {}): Promise<void> {
    this.#release();
    this.#params = this.engine.put(params);
    this.#optimizerState = this.engine.put(optimizer ?? this.#optimizer.init(params));
    if (!this.source.carriesState) return;
    this.#memory = memory === undefined ? await this.#freshMemory() : this.engine.put(memory);
  }

  /**
   * Puts the arrays of a checkpoint on the engine.
   * @throws InputError when they are not those of this optimiser and of this memory: the run could not go on exactly.
   */
  async goOn(
    params: unknown,
    { optimizer, memory }: Omit<TrainingArrays, 'params'>,
    torn: Torn,
  ): Promise<void> {
    const { [TRAINED]: trained, ...kept } = (optimizer ?? {}) as Record<string, unknown>;
    const difference = treeDifference(this.#optimizer.init(params), kept);
    if (difference !== undefined) {
      throw torn('optimizer.safetensors', `${difference}, as '${this.settings.optimizer}' keeps it`);
    }
    await this.begin(trained ?? params, { optimizer: kept });
    if (!this.source.carriesState) return;
    const other = memory === undefined ? 'is missing' : treeDifference(this.#memory, memory);
    if (other !== undefined) {
      throw torn('memory.safetensors', `${other}, as the memory of ${this.source.batch} texts is carried on`);
    }
    disposeTree(this.#memory);
    this.#memory = this.engine.put(memory);
  }

  /**
   * The parameters to evaluate and generate with, on the engine and valid until the next step: those that are trained, or
   * the average that is kept of them.
   */
  async evaluationParams(): Promise<unknown> {
    if (!this.#optimizer.evaluationParameters) return this.#params;
    this.#averaged ??= await this.#average(this.#params, this.#optimizerState);
    return this.#averaged;
  }

  /**
   * One optimiser step on `accumulate` batches.
   * @throws InputError for counted places that do not fit their batch.
   */
  async run(batches: readonly Batch[], inputs: StepInputs): Promise<StepMetrics> {
    for (const batch of batches) checkCounted(batch);
    disposeTree(this.#averaged);
    this.#averaged = undefined;
    return batches.length === 1 ? this.#runWhole(batches[0]!, inputs) : this.#runAccumulated(batches, inputs);
  }

  /** Copies of everything that a checkpoint needs. */
  async toHost(): Promise<TrainingArrays> {
    const [params, state] = [await toHost(await this.evaluationParams()), await toHost(this.#optimizerState)];
    const isAveraged = this.#optimizer.evaluationParameters !== undefined;
    const optimizer = isAveraged ? { ...(state as object), [TRAINED]: await toHost(this.#params) } : state;
    return this.source.carriesState
      ? { params, optimizer, memory: await toHost(this.#memory) }
      : { params, optimizer };
  }

  async dispose(): Promise<void> {
    this.#release();
    for (const compiled of this.#compiled) await compiled.dispose();
  }

  async #runWhole(batch: Batch, { learningRate, dropoutKeys }: StepInputs): Promise<StepMetrics> {
    const result = await this.#whole(
      this.#params,
      this.#optimizerState,
      this.#memory,
      { ...batch },
      learningRate,
      dropoutKeys[0]!,
    );
    this.#params = result.params;
    this.#optimizerState = result.optimizer;
    this.#memory = result.memory;
    return this.#metrics([await numbers(result.watched)], result);
  }

  async #runAccumulated(
    batches: readonly Batch[],
    { learningRate, dropoutKeys }: StepInputs,
  ): Promise<StepMetrics> {
    let total: unknown;
    const watched: Record<string, number>[] = [];
    for (const [index, batch] of batches.entries()) {
      const result = await this.#backward(
        this.#params,
        total,
        this.#memory,
        { ...batch },
        dropoutKeys[index]!,
      );
      total = result.gradients;
      this.#memory = result.memory;
      watched.push(await numbers(result.watched));
    }
    const result = await this.#apply(this.#params, this.#optimizerState, total, learningRate);
    this.#params = result.params;
    this.#optimizerState = result.optimizer;
    return this.#metrics(watched, result);
  }

  async #metrics(watched: readonly Record<string, number>[], result: Result): Promise<StepMetrics> {
    const gradientNorm = await takeNumber(result.gradientNorm!);
    const { clip } = this.settings;
    // As clipByGlobalNorm scales: one more number on the host instead of one more output of the graph.
    const clippedNorm = clip > 0 ? gradientNorm * Math.min(1, clip / (gradientNorm + 1e-6)) : gradientNorm;
    const mean = (key: string) => watched.reduce((sum, values) => sum + values[key]!, 0) / watched.length;
    const telemetry = Object.keys(watched[0]!).filter((key) => key.startsWith('telemetry.'));
    return {
      loss: mean('loss'),
      auxiliaryLoss: 'auxiliaryLoss' in watched[0]! ? mean('auxiliaryLoss') : undefined,
      gradientNorm,
      clippedNorm,
      telemetry: Object.fromEntries(telemetry.map((key) => [key.slice('telemetry.'.length), mean(key)])),
    };
  }

  /** Traced: everything at once. */
  #wholeStep(
    params: unknown,
    optimizer: unknown,
    memory: unknown,
    batch: TensorBatch,
    learningRate: tf.Tensor,
    dropoutKey: tf.Tensor,
  ) {
    const { gradients, memory: after, watched } = this.#differentiate(params, memory, batch, dropoutKey);
    return { ...this.#update(params, optimizer, gradients, learningRate), memory: after, watched };
  }

  /** Traced: one more batch of a step. */
  #accumulate(params: unknown, total: unknown, memory: unknown, batch: TensorBatch, dropoutKey: tf.Tensor) {
    const { gradients, ...rest } = this.#differentiate(params, memory, batch, dropoutKey);
    return { gradients: accumulateGradients(total, gradients, this.settings.accumulate), ...rest };
  }

  /** Traced: clipping and AdamW. */
  #update(params: unknown, optimizer: unknown, gradients: unknown, learningRate: tf.Tensor): Updated {
    const clipped = clipByGlobalNorm(gradients, this.settings.clip);
    const { parameters, state } = this.#optimizer.update(params, clipped.gradients, optimizer, {
      learningRate,
    });
    return { params: parameters, optimizer: state, gradientNorm: clipped.norm };
  }

  #differentiate(params: unknown, memory: unknown, batch: TensorBatch, dropoutKey: tf.Tensor): Backward {
    const context = { training: true, dropoutKey, telemetry: this.settings.telemetry };
    const { gradients, aux } = valueAndGradient((tree: unknown) => {
      const own = { params: tree, memory, batch };
      const { total, watched, state } = trainingLoss(
        this.model,
        this.source,
        this.settings.labelSmoothing,
        own,
        context,
      );
      return [total, this.source.carriesState ? { watched, memory: state } : { watched }] as const;
    }, params);
    const frozen = new Set(this.rules.filter((rule) => rule.frozen).map(({ path }) => path));
    const { watched, memory: after } = aux as { watched: Watched; memory?: unknown };
    return {
      gradients: treeMap<tf.Tensor | undefined, tf.Tensor | undefined>(gradients, (leaf, path) =>
        frozen.has(path) ? undefined : leaf,
      ),
      memory: after,
      watched,
    };
  }

  async #freshMemory(): Promise<unknown> {
    const initState = this.engine.compile(
      (params: unknown) => this.model.initState(params, this.source.batch),
      {
        name: `${this.model.name}.initState`,
      },
    );
    const memory = await initState(this.#params as never);
    await initState.dispose();
    return memory;
  }

  #compile(name: string, donate: readonly number[], fn: (...args: never[]) => unknown): Run {
    const compiled = this.engine.compile(fn as never, { name: `${this.model.name}.${name}`, donate });
    this.#compiled.push(compiled as never);
    return compiled as unknown as Run;
  }

  #release(): void {
    disposeTree(this.#params);
    disposeTree(this.#averaged);
    this.#averaged = undefined;
    disposeTree(this.#optimizerState);
    disposeTree(this.#memory);
  }
}
