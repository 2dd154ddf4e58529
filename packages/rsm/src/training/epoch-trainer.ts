import {
  type Compiled,
  type DeviceArray,
  type Engine,
  InputError,
  type NDArray,
  Rng,
  type RngState,
} from '@palimpsest/tensor-core';
import type { RsmConfig } from '../config.js';
import type { ChunkBatch } from '../data/chunk-example.js';
import { copyToHost, disposeTree } from '../host.js';
import { initialMemory } from '../memory/slots.js';
import { initParameters, type RsmParams } from '../parameters.js';
import { createEpochStep } from './epoch-step.js';
import { type EpochOptimizer, epochOptimizer, type OptimizerOptions } from './optimizer.js';

export interface EpochTrainerOptions {
  readonly engine: Engine;
  /** `syncCadence`, `maxGradNorm`, `resetMemoryEvery`, `dropout` and the wiring decide what an epoch does. */
  readonly config: RsmConfig;
  /** On the host. Default: fresh ones by the seed. */
  readonly params?: RsmParams<NDArray>;
  /** Default 3e-4. */
  readonly learningRate?: number;
  readonly optimizer?: OptimizerOptions;
  /** State of the optimiser on the host, of an earlier trainer. */
  readonly optimizerState?: unknown;
  /** Of parameters and dropout. Default 0. */
  readonly seed?: number;
  /** Random numbers of an earlier trainer to go on with. Default: by the seed. */
  readonly rng?: RngState;
}

/** What one chunk of an epoch gave. */
export interface ChunkReport {
  /** From 0. */
  readonly index: number;
  readonly loss: number;
  readonly correct: number;
  readonly tokens: number;
  /** 2-norm of the model's gradients before clipping. */
  readonly gradientNorm: number;
  /** Memories that the chunk was given and gave back, before any sync; on the host, when asked for. */
  readonly memoryIn?: NDArray;
  readonly memoryOut?: NDArray;
}

export interface EpochOptions {
  /** Copy the memories of every chunk to the host. Default false. */
  readonly memories?: boolean;
  readonly onChunk?: (report: ChunkReport) => void;
  readonly signal?: AbortSignal;
}

export interface EpochResult {
  /** Plain mean of the chunks' losses: a short last batch counts as much as a full one. Nats per token. */
  readonly loss: number;
  /** Share of right tokens, on the training text in training mode. */
  readonly accuracy: number;
  readonly numChunks: number;
}

type Step = Compiled<readonly [never], Record<string, never>>;
type StepResult = Record<'params' | 'optimizer', unknown> &
  Record<'memory' | 'written' | 'loss' | 'correct' | 'gradientNorm', DeviceArray>;

/**
 * The reference's training loop (rsm.md 7): chunk after chunk with a memory that is carried but detached, one optimiser step
 * per chunk, a sync of the memory every `syncCadence` chunks, a new memory every `resetMemoryEvery` chunks and when the
 * batch size changes. For our wirings, which learn through several chunks, use `train` of `@palimpsest/lm`.
 */
export class EpochTrainer {
  readonly #options: EpochTrainerOptions;
  readonly #steps: Readonly<Record<'plain' | 'synced', Step>>;
  readonly #fresh: Compiled<readonly [never, never], DeviceArray>;
  readonly #optimizer: EpochOptimizer;
  readonly #rng: Rng;
  #params: unknown;
  #optimizerState: unknown;
  #memory: DeviceArray | undefined;

  constructor(options: EpochTrainerOptions) {
    const { engine, config, seed = 0 } = options;
    this.#options = options;
    this.#rng = options.rng ? Rng.fromState(options.rng) : Rng.fromSeed(seed);
    const params = options.params ?? initParameters(config, this.#rng);
    this.#optimizer = epochOptimizer(options.optimizer);
    this.#params = engine.put(params);
    this.#optimizerState = engine.put(options.optimizerState ?? this.#optimizer.init(params));
    const step = (isSynced: boolean) =>
      engine.compile(createEpochStep(config, this.#optimizer, isSynced) as never, {
        name: isSynced ? 'rsm epoch step with sync' : 'rsm epoch step',
      }) as unknown as Step;
    this.#steps = { plain: step(false), synced: step(true) };
    this.#fresh = engine.compile(
      ((current: RsmParams, row: { readonly shape: readonly number[] }) =>
        initialMemory(config, current, row.shape[0]!)) as never,
      { name: 'rsm first memory' },
    ) as never;
  }

  /** One pass over the batches. @throws InputError when there is none. */
  async run(batches: Iterable<ChunkBatch>, options: EpochOptions = {}): Promise<EpochResult> {
    this.#forget();
    const totals = { loss: 0, correct: 0, tokens: 0, chunks: 0 };
    for (const batch of batches) {
      if (options.signal?.aborted) break;
      const report = await this.#chunk(batch, totals.chunks, options);
      options.onChunk?.(report);
      totals.loss += report.loss;
      totals.correct += report.correct;
      totals.tokens += report.tokens;
      totals.chunks += 1;
    }
    if (totals.chunks === 0) throw new InputError('An epoch needs at least one batch, but there is none.');
    return {
      loss: totals.loss / totals.chunks,
      accuracy: totals.correct / totals.tokens,
      numChunks: totals.chunks,
    };
  }

  /** Parameters, optimiser state and random numbers on the host: what another trainer needs to go on. */
  async toHost(): Promise<{ params: RsmParams<NDArray>; optimizer: unknown; rng: RngState }> {
    return {
      rng: this.#rng.state(),
      params: (await copyToHost(this.#params)) as RsmParams<NDArray>,
      optimizer: await copyToHost(this.#optimizerState),
    };
  }

  /** Gives the engine's memory back. */
  async dispose(): Promise<void> {
    this.#forget();
    disposeTree(this.#params);
    disposeTree(this.#optimizerState);
    await Promise.all([this.#steps.plain.dispose(), this.#steps.synced.dispose(), this.#fresh.dispose()]);
  }

  async #chunk(batch: ChunkBatch, index: number, options: EpochOptions): Promise<ChunkReport> {
    const { config, learningRate = 3e-4 } = this.#options;
    const [x, y] = [asRows(batch.x), asRows(batch.y)];
    const memory = await this.#memoryFor(x, index);
    const isSynced = config.useGlobalSync && index > 0 && index % config.syncCadence === 0;
    const result = (await this.#steps[isSynced ? 'synced' : 'plain']({
      params: this.#params,
      optimizer: this.#optimizerState,
      memory,
      x,
      y,
      learningRate: learningRate,
      dropoutKey: this.#rng.key(),
    } as never)) as unknown as StepResult;
    const memories = options.memories
      ? { memoryIn: await memory.toHost(), memoryOut: await result.written.toHost() }
      : {};
    this.#replace(result);
    const report = {
      index,
      loss: await result.loss.item(),
      correct: await result.correct.item(),
      tokens: x.data.length,
      gradientNorm: await result.gradientNorm.item(),
      ...memories,
    };
    for (const value of [result.written, result.loss, result.correct, result.gradientNorm]) value.dispose();
    return report;
  }

  /** The carried memory, or a new one where there is none that fits, or where it is reset. */
  async #memoryFor(x: NDArray, index: number): Promise<DeviceArray> {
    const { resetMemoryEvery } = this.#options.config;
    const isReset = resetMemoryEvery !== null && index > 0 && index % resetMemoryEvery === 0;
    if (!this.#memory || isReset || this.#memory.shape[0] !== x.shape[0]) {
      this.#forget();
      this.#memory = (await this.#fresh(this.#params as never, x as never)) as unknown as DeviceArray;
    }
    return this.#memory;
  }

  #replace(result: StepResult): void {
    disposeTree(this.#params);
    disposeTree(this.#optimizerState);
    this.#forget();
    this.#params = result.params;
    this.#optimizerState = result.optimizer;
    this.#memory = result.memory;
  }

  #forget(): void {
    this.#memory?.dispose();
    this.#memory = undefined;
  }
}

/** One epoch of the reference's loop; for several, keep an `EpochTrainer`. */
export async function trainRsmEpoch(
  options: EpochTrainerOptions & EpochOptions,
  batches: Iterable<ChunkBatch>,
): Promise<EpochResult & { readonly params: RsmParams<NDArray>; readonly optimizer: unknown }> {
  const trainer = new EpochTrainer(options);
  try {
    return { ...(await trainer.run(batches, options)), ...(await trainer.toHost()) };
  } finally {
    await trainer.dispose();
  }
}

/** A single sequence gets a batch axis. */
function asRows(array: NDArray<'int32'>): NDArray<'int32'> {
  return array.shape.length === 1 ? { ...array, shape: [1, array.shape[0]!] } : array;
}
