import type { NDArray } from '@palimpsest/base';
import type { GoldenCase, GoldenHandler } from '@palimpsest/base/golden';
import { parameterRules, parseTraining, type TrainingArrays, TrainingStep } from '@palimpsest/lm';
import { type Engine, ndarray, Rng, runOnce, tf, treeLeaves } from '@palimpsest/tensor-core';
import { forwardChunk } from '../forms/chunk.js';
import { resetMemory } from '../memory/between-chunks.js';
import { initParameters, type RsmParams } from '../parameters.js';
import { fromReferenceTensors, referenceKey } from '../reference-keys.js';
import { createRsmModel, type RsmModel } from '../sequence-model.js';
import { initialState, type RsmState } from '../state.js';
import { chunksOf, configOf } from './read-case.js';

interface CaseTraining {
  readonly optimizer: 'adamw' | 'sgd';
  readonly learningRate: number;
  readonly maxGradNorm?: number;
  readonly globalSync?: boolean;
  readonly beta1?: number;
  readonly beta2?: number;
  readonly epsilon?: number;
  readonly weightDecay?: number;
}

/** A case keeps the weights of the sync beside those of the model. */
const keyInCase = (path: string) =>
  path.startsWith('sync.') ? `sync.${referenceKey(path)}` : referenceKey(path);

/**
 * Cases 08 and 09: an epoch of the reference's loop by the training step that `train` runs, one chunk a step; memories, losses,
 * norms and the weights after it.
 */
export const trainHandler: GoldenHandler = {
  system: 'rsm',
  kind: 'train',
  expects: ['unchangedParameters'],
  run: async (testCase, { engine }) => {
    const settings = (testCase.config.training ?? { optimizer: 'adamw', learningRate: 3e-4 }) as CaseTraining;
    const x = chunksOf(testCase, 'in/x');
    const { globalSync: useGlobalSync = false, ...rest } = settings;
    const chunkSize = Math.max(...x.map(({ shape }) => shape.at(-1)!));
    const model = createRsmModel(configOf(testCase, 'parity', { ...rest, useGlobalSync, chunkSize }));
    const epoch = new Epoch(engine as Engine, model, settings);
    const fresh = initParameters(model.options, Rng.fromSeed(0));
    const before = fromReferenceTensors(testCase.weights(), fresh, keyInCase);
    const reports = await epoch.run(before, x, chunksOf(testCase, 'in/y'));
    const { params } = await epoch.finish();
    const chunks = reports.flatMap(({ memoryIn, memoryOut, loss }, index) => [
      [`state/memoryIn_${index}`, memoryIn.data] as const,
      [`state/memoryOut_${index}`, memoryOut.data] as const,
      [`out/loss_${index}`, [loss]] as const,
    ]);
    const sum = (of: (report: ChunkReport) => number) =>
      reports.reduce((total, report) => total + of(report), 0);
    const meanLoss = sum(({ loss }) => loss) / reports.length;
    const accuracy = sum(({ correct }) => correct) / sum(({ tokens }) => tokens);
    return {
      ...Object.fromEntries(chunks),
      'out/gradNorm': reports.map(({ gradientNorm }) => gradientNorm),
      'out/metrics': [meanLoss, accuracy, reports.length],
      ...weightOutputs(testCase, params),
    };
  },
};

/** The weights after the epoch; those that it left alone by name, in the order of the case. */
function weightOutputs(testCase: GoldenCase, params: unknown) {
  const after = new Map(treeLeaves<NDArray>(params).map(({ path, leaf }) => [keyInCase(path), leaf.data]));
  const unchanged: string[] = [];
  const outputs: Record<string, ArrayLike<number>> = {};
  for (const [key, { data }] of testCase.weights()) {
    const values = after.get(key)!;
    const isChanged = data.some((value, index) => value !== values[index]);
    if (isChanged || testCase.has(`out/${key}`)) outputs[`out/${key}`] = values as Float32Array;
    else unchanged.push(key);
  }
  return { ...outputs, unchangedParameters: () => unchanged };
}

interface ChunkReport {
  readonly memoryIn: NDArray;
  readonly memoryOut: NDArray;
  readonly loss: number;
  readonly correct: number;
  readonly tokens: number;
  readonly gradientNorm: number;
}

/** Chunks of a case through `TrainingStep`; a batch of another size starts from the first memory again. */
class Epoch {
  #step: TrainingStep | undefined;
  #batch = 0;

  constructor(
    private readonly engine: Engine,
    private readonly model: RsmModel,
    private readonly settings: CaseTraining,
  ) {}

  async run(
    before: RsmParams<NDArray>,
    x: readonly NDArray<'int32'>[],
    y: readonly NDArray<'int32'>[],
  ): Promise<ChunkReport[]> {
    const reports: ChunkReport[] = [];
    for (const [index, inputs] of x.map(asRows).entries()) {
      const batch = inputs.shape[0]!;
      if (batch !== this.#batch) await this.#resize(before, batch, inputs.shape[1]!, index);
      const watched = await this.#watch(inputs, asRows(y[index]!));
      const { loss, gradientNorm } = await this.#step!.run(
        [{ inputs, targets: asRows(y[index]!), resets: ndarray(new Int32Array(batch), [batch], 'int32') }],
        {
          learningRate: this.settings.learningRate,
          dropoutKeys: [ndarray(Int32Array.of(index, 0), [2], 'int32')],
        },
      );
      reports.push({ ...watched, loss, gradientNorm, tokens: inputs.data.length });
    }
    return reports;
  }

  async finish(): Promise<TrainingArrays> {
    const arrays = await this.#step!.toHost();
    await this.#step!.dispose();
    return arrays;
  }

  /** A step for batches of another size, with the parameters and moments so far. */
  async #resize(before: RsmParams<NDArray>, batch: number, time: number, index: number): Promise<void> {
    const arrays: Partial<TrainingArrays> = this.#step ? await this.finish() : {};
    const params = (arrays.params ?? before) as RsmParams<NDArray>;
    const { maxGradNorm: clip, optimizer, learningRate, beta1, beta2, epsilon, weightDecay } = this.settings;
    const training = parseTraining({
      optimizer,
      learningRate,
      decayed: 'all',
      telemetry: false,
      clip,
      betas: beta1 !== undefined && beta2 !== undefined ? [beta1, beta2] : undefined,
      epsilon,
      weightDecay: weightDecay ?? (optimizer === 'adamw' ? 0.01 : 0),
    });
    const source = {
      batch,
      time,
      carriesState: true,
      hasIgnoredTargets: false,
      next: () => {
        throw new Error('The batches of a case are given one by one.');
      },
      cursor: () => ({}),
      seek: () => {},
    };
    const rules = parameterRules(this.model, params, training);
    this.#batch = batch;
    this.#step = new TrainingStep(this.engine, this.model, source, training, rules);
    const { options: config } = this.model;
    const first = await runOnce(
      this.engine,
      (weights: RsmParams) => initialState(config, weights, batch),
      params,
    );
    const chunk = first.chunk && ndarray(new Int32Array(batch).fill(index), [batch], 'int32');
    await this.#step.begin(params, { ...arrays, memory: { ...first, chunk } });
  }

  /** What a step does not tell: the memory that the chunk is given and the one that it writes, and the hits. */
  async #watch(inputs: NDArray<'int32'>, targets: NDArray<'int32'>) {
    const { params, memory } = await this.#step!.toHost();
    const { options: config } = this.model;
    const { memoryIn, memoryOut, hits } = await runOnce(
      this.engine,
      (weights: RsmParams, state: RsmState, ids: tf.Tensor2D, labels: tf.Tensor2D) => {
        const start = state.chunk ? resetMemory(config, weights, state.memory, state.chunk) : state.memory;
        const { logits, memory: written } = forwardChunk(config, weights, ids, start);
        const right = tf.equal(tf.argMax(logits as tf.Tensor, 2), labels);
        return { memoryIn: start, memoryOut: written, hits: tf.sum(tf.cast(right, 'float32')) };
      },
      params as RsmParams<NDArray>,
      memory as never,
      inputs,
      targets,
    );
    return { memoryIn, memoryOut, correct: Number(hits.data[0]) };
  }
}

/** A single sequence gets a batch axis. */
function asRows(array: NDArray<'int32'>): NDArray<'int32'> {
  return array.shape.length === 1 ? { ...array, shape: [1, array.shape[0]!] } : array;
}
