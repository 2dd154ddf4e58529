import { formatBytes, machineMemory, nodeModule, requireMemory } from '@palimpsest/base';
import { type Engine, PalimpsestError, Rng } from '@palimpsest/tensor-core';
import type { Torn } from '../checkpoints/check-arrays.js';
import { type LoadedCheckpoint, saveCheckpoint, torn } from '../checkpoints/checkpoint.js';
import { firstNonFinite } from '../checkpoints/finite.js';
import { storageError } from '../checkpoints/storage-error.js';
import { type BatchSource, countTargets } from '../data/batch.js';
import { Evaluator } from '../evaluation/evaluate-text.js';
import { generateText } from '../generation/generate.js';
import { Session } from '../generation/session.js';
import { StepDecoder } from '../generation/step-decoder.js';
import { countParameters, stateBytes } from '../model-size.js';
import type { AnySequenceModel, JsonObject } from '../sequence-model.js';
import type { Tokenizer } from '../tokenizers/tokenizer.js';
import { type ParameterRule, parameterRules } from './parameter-rules.js';
import type { TrainingEvent } from './training-event.js';
import {
  encodeProgress,
  freshProgress,
  inProgress,
  resumeProgress,
  type TrainingProgress,
} from './training-progress.js';
import {
  parseTraining,
  scheduleOf,
  type TrainingOptions,
  type TrainingSettings,
} from './training-settings.js';
import { TrainingStep } from './training-step.js';

export interface TrainOptions {
  readonly engine: Engine;
  readonly model: AnySequenceModel;
  /** Where batches come from; it decides the batch size, the window and whether the memory is carried. */
  readonly source: BatchSource;
  readonly settings?: TrainingOptions;
  /** First parameters on the host. Default: `model.init` with the settings' seed. */
  readonly params?: unknown;
  /** Text that validates, as ids. */
  readonly validation?: Int32Array | undefined;
  /** Needed for samples; stored in checkpoints; gives validation its bits per character. */
  readonly tokenizer?: Tokenizer;
  /**
   * Folder for `latest/` and `best/`. Without it nothing is saved. The first checkpoint is written before the first step,
   * so that a run that is killed at any moment can go on.
   */
  readonly folder?: string;
  /** Goes on exactly where this checkpoint was saved. `settings` given beside it override its own. */
  readonly resume?: LoadedCheckpoint | undefined;
  /** Stored in every checkpoint. */
  readonly notes?: JsonObject;
  /** Ends the run between two steps: everything is saved, and the last event is `interrupted`. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Trains a model and tells what happens: one event per step, validation, sample and checkpoint, a last one with the
 * parameters. Stopping to listen (`break`) ends the run without saving; the signal ends it with saving.
 * @throws PalimpsestError when loss, gradient or parameters are no longer finite; checkpoints already written stay.
 */
export async function* train(options: TrainOptions): AsyncGenerator<TrainingEvent, void, undefined> {
  const run = new TrainingRun(options);
  try {
    yield await run.start();
    yield* run.steps();
  } finally {
    await run.dispose();
  }
}

/** Refuses sizes of which a lower bound does not fit: parameters with gradients and two moments, and logits. */
function requireMemoryFor(params: unknown, { batch, time }: BatchSource, vocabSize: number): void {
  const parameters = countParameters(params);
  requireMemory(BYTES_PER_PARAMETER * parameters, `Training ${parameters} parameters, at 16 bytes each,`);
  requireMemory(
    4 * batch * time * vocabSize,
    `Each step's logits, ${batch} x ${time} tokens x ${vocabSize} entries at 4 bytes,`,
  );
}

/** Bytes of a trained parameter: itself, its gradient and two moments. */
const BYTES_PER_PARAMETER = 16;

/** Fresh parameters, whose number is found out first: drawing billions of them takes minutes. */
function freshParameters(model: AnySequenceModel, seed: number): unknown {
  const memory = machineMemory();
  if (memory !== undefined) {
    const most = Math.floor(memory / BYTES_PER_PARAMETER);
    const refusal = `The model has more than ${most} parameters, which at ${BYTES_PER_PARAMETER} bytes each in training is more than the ${formatBytes(memory)} of memory of this machine; choose smaller sizes.`;
    model.init(Rng.ofShapes(most, refusal));
  }
  return model.init(Rng.fromSeed(seed));
}

class TrainingRun {
  readonly #options: TrainOptions;
  readonly #settings: TrainingSettings;
  readonly #progress: TrainingProgress;
  readonly #params: unknown;
  readonly #rules: readonly ParameterRule[];
  readonly #schedule: (step: number) => number;
  readonly #step: TrainingStep;
  readonly #evaluator: Evaluator | undefined;
  #sampler: { readonly decoder: StepDecoder; readonly session: Session } | undefined;
  /** Step at which the latest checkpoint was made, and when. */
  #savedAt = -1;
  #savedTime = performance.now();
  #hasValidated = false;

  constructor(options: TrainOptions) {
    const { engine, model, source, resume } = options;
    this.#options = options;
    if (resume) {
      const { progress, settings, cursor } = resumeProgress(resume, options.settings);
      this.#progress = progress;
      this.#settings = settings;
      this.#params = resume.params;
      inProgress(resume.folder, "a 'cursor' that is no place in this text", () => source.seek(cursor));
      if (resume.folder === this.#place('latest')) this.#savedAt = progress.step;
    } else {
      this.#settings = parseTraining(options.settings);
      this.#progress = freshProgress(this.#settings);
      this.#params = options.params ?? freshParameters(model, this.#settings.seed);
    }
    requireMemoryFor(this.#params, source, model.vocabSize);
    this.#schedule = scheduleOf(this.#settings);
    this.#rules = parameterRules(model, this.#params, this.#settings);
    this.#step = new TrainingStep(engine, model, source, this.#settings, this.#rules);
    this.#evaluator = options.validation && new Evaluator(engine, model, this.#evaluationOptions());
  }

  async start(): Promise<TrainingEvent> {
    const { engine, model, resume } = this.#options;
    if (resume?.training) {
      const refuse: Torn = (name, what) => torn(resume.folder, name, what);
      await this.#step.goOn(this.#params, resume.training, refuse);
    } else await this.#step.begin(this.#params);
    return {
      type: 'start',
      model: model.name,
      parameters: countParameters(this.#params),
      stateBytes: await stateBytes(model, 1, this.#params),
      step: this.#progress.step,
      settings: this.#settings,
      engine: engine.name,
    };
  }

  async *steps(): AsyncGenerator<TrainingEvent, void, undefined> {
    const { signal } = this.#options;
    const { steps, validateEvery, sampleEvery, checkpointEvery, checkpointSeconds } = this.#settings;
    const isDue = (every: number) =>
      every > 0 && this.#progress.step > 0 && this.#progress.step % every === 0;
    const isTime = () =>
      checkpointSeconds > 0 && performance.now() - this.#savedTime >= checkpointSeconds * 1000;
    yield* this.#save('latest');
    // A run that was interrupted before or in a validation makes up for it.
    if (isDue(validateEvery)) yield* this.#validate();
    while (this.#progress.step < steps && !signal?.aborted) {
      yield await this.#trainStep();
      if (isDue(validateEvery)) yield* this.#validate();
      if (isDue(sampleEvery)) yield* this.#sample();
      if (isDue(checkpointEvery) || isTime()) yield* this.#save('latest');
    }
    const isInterrupted = this.#progress.step < steps;
    if (!isInterrupted) yield* this.#validate();
    yield* this.#save('latest');
    const { step, tokens, bestLoss } = this.#progress;
    const { params } = await this.#step.toHost();
    yield {
      type: isInterrupted ? 'interrupted' : 'end',
      step,
      tokens,
      params,
      bestLoss,
    };
  }

  async dispose(): Promise<void> {
    await this.#sampler?.session.dispose();
    await this.#evaluator?.dispose();
    await this.#step.dispose();
  }

  async #trainStep(): Promise<TrainingEvent> {
    const { source } = this.#options;
    const progress = this.#progress;
    const start = performance.now();
    const batches = Array.from({ length: this.#settings.accumulate }, () => source.next());
    const learningRate = this.#schedule(progress.step);
    const dropoutKeys = batches.map(() => progress.rng.key());
    const metrics = await this.#step.run(batches, { learningRate, dropoutKeys });
    const seconds = (performance.now() - start) / 1000;
    const tokens = batches.reduce((total, batch) => total + countTargets(batch), 0);
    progress.step += 1;
    progress.tokens += tokens;
    if (!Number.isFinite(metrics.loss)) throw this.#diverged(`its loss is ${metrics.loss}`);
    if (!Number.isFinite(metrics.gradientNorm)) {
      throw this.#diverged(`the norm of its gradients is ${metrics.gradientNorm}`);
    }
    return {
      type: 'step',
      step: progress.step,
      steps: this.#settings.steps,
      ...metrics,
      rates: this.#rates(learningRate),
      tokens: progress.tokens,
      tokensPerSecond: tokens / Math.max(seconds, 1e-9),
    };
  }

  #diverged(what: string): PalimpsestError {
    const { step } = this.#progress;
    const kept = this.#options.folder === undefined ? '' : '; the checkpoints written before it stay';
    return new PalimpsestError(
      `Training of '${this.#options.model.name}' diverged in step ${step}: ${what}; lower the learning rate (${this.#settings.learningRate}) or clip the gradients more${kept}.`,
    );
  }

  #rates(learningRate: number): Record<string, number> {
    const trained = this.#rules.filter(({ frozen }) => !frozen);
    return Object.fromEntries(trained.map(({ group, rate }) => [group, rate * learningRate]));
  }

  async *#validate(): AsyncGenerator<TrainingEvent, void, undefined> {
    const { validation } = this.#options;
    const progress = this.#progress;
    if (!this.#evaluator || !validation || progress.validatedAt === progress.step) return;
    // Building the graphs of a validation can take long, and a process that is busy cannot save when it is ended.
    if (!this.#hasValidated) yield* this.#save('latest');
    this.#hasValidated = true;
    const result = await this.#evaluator.run(await this.#step.evaluationParams(), validation);
    // Cut off by the signal, it says nothing that could be compared.
    if (result.tokens < validation.length - 1) return;
    progress.validatedAt = progress.step;
    // What was saved before it does not know of it.
    this.#savedAt = -1;
    const isBest = progress.bestLoss === undefined || result.loss < progress.bestLoss;
    if (isBest) progress.bestLoss = result.loss;
    yield { type: 'validation', step: progress.step, result, isBest };
    if (isBest && this.#settings.keepBest) yield* this.#save('best');
  }

  async *#sample(): AsyncGenerator<TrainingEvent, void, undefined> {
    const { tokenizer, signal } = this.#options;
    const { samplePrompt: prompt, sampleTokens, sampleTemperature } = this.#settings;
    if (!tokenizer || signal?.aborted) return;
    // Parameters differ from sample to sample: nothing is baked in or packed, and the model is compiled once for all.
    this.#sampler ??= await this.#createSampler();
    const { decoder, session } = this.#sampler;
    decoder.useParams(await this.#step.evaluationParams());
    await session.reset();
    const text = await generateText({
      session,
      tokenizer,
      prompt,
      maximumTokens: sampleTokens,
      sampling: { temperature: sampleTemperature },
    });
    yield { type: 'sample', step: this.#progress.step, prompt, text };
  }

  async #createSampler() {
    const { engine, model } = this.#options;
    const decoder = await StepDecoder.create(engine, model, await this.#step.evaluationParams(), {
      freeze: false,
    });
    return { decoder, session: Session.over(decoder, model, { seed: this.#settings.seed }) };
  }

  async *#save(kind: 'latest' | 'best'): AsyncGenerator<TrainingEvent, void, undefined> {
    const { folder, model, source, tokenizer, notes } = this.#options;
    const { step } = this.#progress;
    if (folder === undefined || (kind === 'latest' && this.#savedAt === step)) return;
    const { params, ...arrays } = await this.#step.toHost();
    const bad = firstNonFinite({ params, ...arrays });
    if (bad !== undefined) throw this.#diverged(`${bad} is no longer finite`);
    const path = this.#place(kind)!;
    try {
      await saveCheckpoint(path, {
        model,
        params,
        tokenizer,
        notes,
        training: { progress: encodeProgress(this.#progress, this.#settings, source.cursor()), ...arrays },
      });
    } catch (error) {
      throw storageError('The checkpoint cannot be written to', path, error, 'the former one is kept');
    }
    if (kind === 'latest') {
      this.#savedAt = step;
      this.#savedTime = performance.now();
    }
    yield { type: 'checkpoint', step, kind, folder: path };
  }

  /** Where checkpoints of a kind stand, when there is a folder for them. */
  #place(kind: 'latest' | 'best'): string | undefined {
    const { folder } = this.#options;
    return folder === undefined ? undefined : nodeModule('node:path').join(folder, kind);
  }

  #evaluationOptions() {
    const { source, tokenizer, signal } = this.#options;
    const { validationLanes, validationChunk, validationRegime } = this.#settings;
    const automatic = source.carriesState ? 'streaming' : 'windowed';
    return {
      chunk: validationChunk || source.time,
      lanes: validationLanes,
      regime: validationRegime === 'auto' ? automatic : validationRegime,
      tokenizer,
      signal,
    } as const;
  }
}
