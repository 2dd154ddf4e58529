import { type Engine, InputError, Rng } from '@palimpsest/tensor-core';
import { type RsmOptions, resolveConfig } from '../config.js';
import { createRsmModel, type RsmModel } from '../sequence-model.js';
import { type ArchitectureAblation, ablateArchitecture, ablateMemory } from './ablations.js';
import { type AnswerAccuracy, answerAccuracy } from './answer-accuracy.js';
import type { AnswerTask } from './answer-task.js';
import { chainTask } from './chain-task.js';
import { checkLeak, type LeakCheck } from './leak-check.js';
import { LEAK_VOCABULARY, LeakToy, trainOnLeakToy } from './leak-toy.js';
import { type ProbeResult, probeMemory } from './memory-probe.js';
import { MemoryStream } from './memory-stream.js';
import { needleTask } from './needle-task.js';
import { measureRetention, type Retention } from './retention.js';
import { retrievalTask } from './retrieval-task.js';
import { type SuiteSize, type SuiteSizes, suiteSizes, type TaskSize } from './suite-sizes.js';
import { trainOnTask } from './train-on-task.js';

export interface RsmSuiteOptions {
  /** What shall differ from the suite's small model; `vocabSize` follows from the tasks. */
  readonly model?: Partial<Omit<RsmOptions, 'vocabSize'>>;
  /** `quick` takes about two minutes on two cores, `full` half an hour. Default quick. */
  readonly size?: SuiteSize;
  readonly seed?: number;
  readonly signal?: AbortSignal;
  /** Tells what is being done, and how far it is from 0 to 1. */
  readonly onProgress?: (fraction: number, note: string) => void;
}

/** Accuracy by difficulty of a task that the model was trained for. */
export interface TaskReport {
  readonly task: string;
  readonly unit: string;
  readonly trainedOn: string;
  readonly loss: number;
  readonly accuracies: readonly AnswerAccuracy[];
}

/** Everything that the suite finds, as JSON. */
export interface RsmReport {
  readonly format: 'palimpsest-rsm-suite';
  readonly version: 1;
  readonly size: SuiteSize;
  readonly seed: number;
  readonly engine: string;
  /** Every option of the small model, decided. */
  readonly model: RsmModel['options'];
  readonly stateBytes: number;
  readonly retrieval: TaskReport;
  readonly chain: TaskReport;
  readonly needle: TaskReport;
  /** The retrieval model's memory as it is, held, emptied and swapped. */
  readonly memory: Awaited<ReturnType<typeof ablateMemory>>;
  /** What a linear map reads out of the retrieval model's memory, by age of the fact. */
  readonly probe: readonly ProbeResult[];
  readonly retention: Retention;
  /** Slots against chunk length at equal budget. */
  readonly architecture: readonly ArchitectureAblation[];
  /** Loss with the whole chunk in view and with the prefix only, for this model and for the reference's wiring. */
  readonly leak: { readonly model: LeakCheck; readonly reference: LeakCheck };
  readonly seconds: number;
}

/**
 * The evaluation that the reference promised (rsm.md 10): trains small models on generated tasks and measures retrieval at
 * distance, chains, needles, what the memory is worth, how long it keeps, what it costs, and whether it sees the future.
 * @throws InputError for options that make no model.
 */
export async function evaluateRsm(engine: Engine, options: RsmSuiteOptions = {}): Promise<RsmReport> {
  const suite = new Suite(engine, options);
  return suite.run();
}

/** A model that was trained for a task, ready to be asked more. */
interface TrainedTask {
  readonly task: AnswerTask;
  readonly model: RsmModel;
  readonly stream: MemoryStream;
  readonly report: TaskReport;
  readonly stateBytes: number;
}

class Suite {
  readonly #engine: Engine;
  readonly #options: RsmSuiteOptions;
  readonly #sizes: SuiteSizes;
  readonly #seed: number;
  readonly #chunk: number;
  #done = 0;

  constructor(engine: Engine, options: RsmSuiteOptions) {
    this.#engine = engine;
    this.#options = options;
    const { size = 'quick', seed = 0 } = options;
    if (!Object.hasOwn(suiteSizes, size)) {
      throw new InputError(
        `The suite has no size '${size}'; there are ${Object.keys(suiteSizes).join(', ')}.`,
      );
    }
    this.#sizes = suiteSizes[size];
    this.#seed = seed;
    this.#chunk = resolveConfig(this.#modelFor(8)).chunkSize;
  }

  async run(): Promise<RsmReport> {
    const start = performance.now();
    const { retrieval: ofRetrieval, chain: ofChain, needle: ofNeedle } = this.#sizes;
    const chunk = this.#chunk;
    const chains = chainTask({ spacing: chunk });
    const retrieval = await this.#task(retrievalTask({ entities: 1, values: 8, fillers: 8 }), ofRetrieval);
    const memory = await this.#memoryOf(retrieval);
    const chain = await this.#task(chains, ofChain);
    const needle = await this.#task(needleTask(), ofNeedle);
    const architecture = await this.#architecture();
    const leak = await this.#leak();
    for (const { stream } of [retrieval, chain, needle]) await stream.dispose();
    return {
      format: 'palimpsest-rsm-suite',
      version: 1,
      size: this.#options.size ?? 'quick',
      seed: this.#seed,
      engine: this.#engine.name,
      model: retrieval.model.options,
      stateBytes: retrieval.stateBytes,
      retrieval: retrieval.report,
      chain: chain.report,
      needle: needle.report,
      ...memory,
      architecture,
      leak,
      seconds: (performance.now() - start) / 1000,
    };
  }

  /** The suite's small model: the size of the recall probe. */
  #modelFor(vocabSize: number): RsmOptions {
    const trained = Math.max(...this.#sizes.retrieval.chunks);
    return {
      hiddenSize: 32,
      numLayers: 2,
      numHeads: 2,
      numMemorySlots: 4,
      windowSize: 8,
      dropout: 0,
      tbpttChunks: trained,
      ...this.#options.model,
      vocabSize,
    };
  }

  async #task(task: AnswerTask, size: TaskSize): Promise<TrainedTask> {
    const model = createRsmModel(this.#modelFor(task.vocabSize));
    const chunk = this.#chunk;
    const { chunks, steps, testChunks, samples } = size;
    const trained = await trainOnTask(this.#engine, model, task, {
      chunk,
      chunks,
      steps,
      seed: this.#seed,
      placement: size.placement ?? 'anywhere',
      ...(this.#options.signal && { signal: this.#options.signal }),
      onStep: (step, all, loss) =>
        this.#progress(step / all, `${task.name}: step ${step} of ${all}, loss ${loss.toFixed(3)}`),
    });
    const stream = new MemoryStream(this.#engine, model, trained.params);
    const accuracies: AnswerAccuracy[] = [];
    for (const count of testChunks) {
      this.#options.signal?.throwIfAborted();
      const length = count * chunk;
      const difficulty = task.hardest(length);
      if (difficulty < 0) continue;
      accuracies.push(
        await answerAccuracy(stream, task, { chunk, length, difficulty, samples, seed: this.#seed + 7919 }),
      );
    }
    this.#done += 1;
    const report: TaskReport = {
      task: task.name,
      unit: task.unit,
      trainedOn: `${Math.min(...chunks)} to ${Math.max(...chunks)} chunks of ${chunk} tokens, ${steps} steps`,
      loss: trained.loss,
      accuracies,
    };
    return { task, model, stream, report, stateBytes: trained.stateBytes };
  }

  async #memoryOf({ task, stream }: TrainedTask) {
    const chunk = this.#chunk;
    const { memory, probe, retention } = this.#sizes;
    this.#progress(0, 'what the memory is worth');
    const length = memory.chunks * chunk;
    const worth = await ablateMemory(stream, task, {
      chunk,
      length,
      difficulty: task.hardest(length),
      samples: memory.samples,
    });
    this.#progress(0.4, 'what is left of a fact');
    const probes = await probeMemory(this.#engine, stream, task, { chunk, ...probe, seed: this.#seed });
    this.#progress(0.8, 'how long the memory keeps');
    const rng = Rng.fromSeed(this.#seed + 31);
    const texts = Array.from({ length: retention.texts }, () => {
      const text = retention.chunks * chunk;
      return task.question(rng, text, task.hardest(text)).tokens;
    });
    const kept = await measureRetention(stream, texts, { chunk, seed: this.#seed });
    this.#done += 1;
    return { memory: worth, probe: probes, retention: kept };
  }

  async #architecture(): Promise<ArchitectureAblation[]> {
    const task = retrievalTask({ entities: 4, values: 8, fillers: 8 });
    const { grid, steps } = this.#sizes.architecture;
    const rows = await ablateArchitecture(this.#engine, this.#modelFor(task.vocabSize), task, grid, {
      steps,
      seed: this.#seed,
      ...(this.#options.signal && { signal: this.#options.signal }),
      onStep: (step, all) => this.#progress(step / all, `slots against chunks: step ${step} of ${all}`),
    });
    this.#done += 1;
    return rows;
  }

  /** Both wirings on the toy whose symbol nothing foretells. */
  async #leak(): Promise<RsmReport['leak']> {
    const time = this.#chunk;
    const fresh = new LeakToy(256, time, this.#seed + 99).next().inputs.data as Int32Array;
    const check = async (changes: Partial<RsmOptions>) => {
      const model = createRsmModel({ ...this.#modelFor(LEAK_VOCABULARY), ...changes });
      const steps = this.#sizes.leakSteps;
      const params = await trainOnLeakToy(this.#engine, model, { time, steps, seed: this.#seed });
      return checkLeak(this.#engine, model.options, params, fresh, time, { positions: [0] });
    };
    this.#progress(0, 'whether the model sees the future');
    const model = await check({});
    this.#progress(0.5, "whether the reference's wiring sees the future");
    const reference = await check({ preset: 'parity', useGlobalSync: false });
    this.#done += 1;
    return { model, reference };
  }

  #progress(within: number, note: string): void {
    const parts = 6;
    this.#options.onProgress?.(Math.min(1, (this.#done + within) / parts), note);
  }
}
