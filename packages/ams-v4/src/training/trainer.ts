import type { TransformerParameters } from '@palimpsest/backbone';
import {
  type Compiled,
  disposeTree,
  InputError,
  type NDArray,
  takeToHost,
  tf,
  valueAndGradient,
} from '@palimpsest/tensor-core';
import { reconstruction } from '../losses/reconstruction.js';
import type { AdapterParameters } from '../model/adapters.js';
import type { MemLLM4 } from '../model/mem-llm.js';
import { AdapterLayout, eachPart, type FlatAdapters, PARTS, type Part } from './flat-adapters.js';
import { batchLosses, type LossBatch, type Losses } from './losses.js';
import { TrainingTexts } from './training-texts.js';
import { VectorAdamW } from './vector-adamw.js';

export interface TrainerOptions {
  /** Default 3e-4. */
  readonly learningRate?: number;
  /** Decoupled, of every parameter that gets a gradient. Default 0.01. */
  readonly weightDecay?: number;
  /** Largest global norm of the gradients. Default 1. */
  readonly gradClip?: number;
}

/** Values of one step, before its update. */
export interface StepReport {
  readonly total: number;
  readonly components: Readonly<Record<keyof Losses | 'recon', number>>;
  readonly seconds: number;
}

interface StepResult {
  readonly gradients: FlatAdapters<tf.Tensor | undefined>;
  /** The losses, and their weighted sum without the metric of reconstruction: `[5]`, because the runtime takes its time for every result. */
  readonly values: tf.Tensor;
}

type Step = Compiled<[TransformerParameters, FlatAdapters<tf.Tensor[]>, LossBatch<tf.Tensor>], StepResult>;

/**
 * Trains the adapters of a memory by the five published losses; the language model stays as it is. Parameters that no loss reaches -
 * metrics, connections and whatever the texts do not use - are never touched.
 */
export class Trainer4 {
  readonly #texts: TrainingTexts;
  readonly #step: Step;
  readonly #layout: AdapterLayout;
  readonly #vectors: VectorAdamW<Part>;
  /** The vectors' arrays as the graph reads them. */
  readonly #arrays: FlatAdapters<NDArray[]>;
  /** What is not trained. */
  #others: AdapterParameters<NDArray>;
  /** The parameters as they are. */
  readonly #source: () => AdapterParameters<NDArray>;

  /** @throws EngineError where there is no WebAssembly with 128-bit vectors. */
  constructor(
    readonly memory: MemLLM4,
    options: TrainerOptions = {},
  ) {
    const { learningRate = 3e-4, weightDecay = 0.01, gradClip = 1 } = options;
    this.#texts = new TrainingTexts(memory);
    this.#others = memory.adapters;
    this.#layout = new AdapterLayout(this.#others);
    this.#vectors = new VectorAdamW(this.#layout.sizes, { learningRate, weightDecay, gradClip });
    this.#arrays = this.#layout.arrays(eachPart((part) => this.#vectors.parameters(part)));
    this.#source = () =>
      this.#layout.adapters(
        eachPart((part) => this.#vectors.parameters(part).slice()),
        this.#others,
      );
    this.#step = memory.text.engine.compile(this.#slopes, { name: 'training step', freeze: [0] });
  }

  /**
   * One step on a batch of texts, which begin a memory of their own.
   * @throws InputError for an empty batch.
   */
  async step(texts: readonly string[]): Promise<StepReport> {
    if (texts.length === 0) throw new InputError('A training step needs at least one text.');
    const start = performance.now();
    const { memory } = this;
    const { texts: read, losses: batch } = await this.#texts.of(texts);
    memory.clear();
    // Nothing but the metric of the descriptive fields looks at what is stored.
    if (memory.config.kakeyaFields) {
      for (const { text, ids, hidden } of read) await memory.writePooled(text, ids, hidden);
    }
    const recon = reconstruction(memory.registry, batch.inputs.hidden);
    this.#takeAdapters();
    const { gradients, values } = await this.#step(memory.text.weights, this.#arrays, batch);
    const reached = PARTS.filter((part) => gradients[part]);
    for (const part of reached) await gradients[part]!.copyTo(this.#vectors.gradient(part));
    disposeTree(gradients);
    const [anchor, alignment, independence, policy, total] = (await takeToHost(values)).data as Float32Array;
    this.#vectors.step(reached);
    memory.setAdapters(this.#source);
    return {
      total: Math.fround(total! + recon * weightOf(memory, 'recon')),
      components: {
        prefixSemanticAnchor: anchor!,
        bundleAxisAlignment: alignment!,
        crossBundleIndependence: independence!,
        recon,
        writePolicy: policy!,
      },
      seconds: (performance.now() - start) / 1000,
    };
  }

  /** Means of |w| of three parameters that tell whether training moves anything. */
  probe(): Readonly<Record<'liftTime' | 'topicDownProject' | 'timeAxis', number>> {
    const { cross_attn, bundle_topic, bundle_time } = this.memory.adapters;
    const mean = ({ data }: NDArray) =>
      Array.from(data, Math.abs).reduce((sum, value) => sum + value, 0) / data.length;
    return {
      liftTime: mean(cross_attn.lift_time[0]!.weight),
      topicDownProject: mean(bundle_topic.encoder.down_project[0].weight),
      timeAxis: mean(bundle_time._axis_raw),
    };
  }

  /** Gives the graph back to the engine; the memory keeps what was trained. */
  async dispose(): Promise<void> {
    if (this.memory.hasAdaptersOf(this.#source)) this.memory.setAdapters(this.memory.adapters);
    await this.#step.dispose();
  }

  /** The memory's parameters, unless they are those of the last step. */
  #takeAdapters(): void {
    const { memory } = this;
    if (memory.hasAdaptersOf(this.#source)) return;
    this.#others = memory.adapters;
    this.#layout.flatten(
      this.#others,
      eachPart((part) => this.#vectors.parameters(part)),
    );
  }

  readonly #slopes = (
    weights: TransformerParameters,
    own: FlatAdapters<tf.Tensor[]>,
    batch: LossBatch<tf.Tensor>,
  ): StepResult => {
    const { config, text } = this.memory;
    const { value, gradients, aux } = valueAndGradient((arrays: FlatAdapters<tf.Tensor[]>) => {
      const losses = batchLosses(config, text.model, weights, this.#layout.shaped(arrays), batch);
      const weighted = Object.entries<tf.Tensor>({ ...losses }).map(([name, loss]) =>
        tf.mul(loss, weightOf(this.memory, name)),
      );
      return [tf.addN(weighted), losses] as const;
    }, own);
    const { prefixSemanticAnchor, bundleAxisAlignment, crossBundleIndependence, writePolicy } = aux;
    const losses = [prefixSemanticAnchor, bundleAxisAlignment, crossBundleIndependence, writePolicy];
    return { gradients: this.#layout.gradients(gradients), values: tf.stack([...losses, value]) };
  };
}

const weightOf = ({ config }: MemLLM4, loss: string): number => config.lossWeights[loss] ?? 1;
