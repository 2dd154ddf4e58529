import type { TransformerParameters } from '@palimpsest/backbone';
import {
  type AdamWState,
  adamw,
  type Compiled,
  clipByGlobalNorm,
  disposeTree,
  InputError,
  type NDArray,
  ndarray,
  type ToInput,
  takeToHost,
  tf,
  toHost,
  valueAndGradient,
} from '@palimpsest/tensor-core';
import { reconstruction } from '../losses/reconstruction.js';
import type { AdapterParameters } from '../model/adapters.js';
import type { MemLLM4 } from '../model/mem-llm.js';
import { AdapterLayout, type FlatAdapters } from './flat-adapters.js';
import { batchLosses, type LossBatch, type Losses } from './losses.js';
import { TrainingTexts } from './training-texts.js';

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
  readonly vectors: FlatAdapters<tf.Tensor>;
  readonly optimizer: AdamWState<FlatAdapters<tf.Tensor>>;
  readonly losses: Losses;
  readonly total: tf.Tensor;
}

type Step = Compiled<
  [
    TransformerParameters,
    FlatAdapters<tf.Tensor>,
    AdamWState<FlatAdapters<tf.Tensor>>,
    AdapterParameters,
    LossBatch<tf.Tensor>,
    tf.Tensor,
    tf.Tensor,
  ],
  StepResult
>;

/**
 * Trains the adapters of a memory by the five published losses; the language model stays as it is. Parameters that no loss reaches -
 * metrics, connections and whatever the texts do not use - are never touched.
 */
export class Trainer4 {
  readonly #texts: TrainingTexts;
  readonly #step: Step;
  readonly #options: Required<TrainerOptions>;
  readonly #optimizer: ReturnType<typeof adamw>;
  readonly #layout: AdapterLayout;
  #vectors: ToInput<FlatAdapters<tf.Tensor>> | undefined;
  #state: ToInput<AdamWState<FlatAdapters<tf.Tensor>>> | undefined;
  /** What the memory was given last; others than these were set by somebody else. */
  #given: AdapterParameters<NDArray> | undefined;

  constructor(
    readonly memory: MemLLM4,
    options: TrainerOptions = {},
  ) {
    const { learningRate = 3e-4, weightDecay = 0.01, gradClip = 1 } = options;
    this.#options = { learningRate, weightDecay, gradClip };
    this.#texts = new TrainingTexts(memory);
    this.#optimizer = adamw({ weightDecay });
    this.#layout = new AdapterLayout(memory.adapters);
    this.#step = memory.text.engine.compile(this.#update, {
      name: 'training step',
      freeze: [0],
      donate: [1, 2],
    });
  }

  /**
   * One step on a batch of texts, which begin a memory of their own.
   * @throws InputError for an empty batch.
   */
  async step(texts: readonly string[]): Promise<StepReport> {
    if (texts.length === 0) throw new InputError('A training step needs at least one text.');
    const start = performance.now();
    const { memory } = this;
    const read = await this.#texts.read(texts);
    memory.clear();
    // Nothing but the metric of the descriptive fields looks at what is stored.
    if (memory.config.kakeyaFields) {
      for (const { text, ids, hidden } of read) await memory.writePooled(text, ids, hidden);
    }
    const batch = await this.#texts.batch(read);
    const recon = reconstruction(memory.registry, batch.inputs.hidden);
    const { vectors, state } = this.#inputs();
    const result = await this.#step(
      memory.text.weights,
      vectors,
      state,
      memory.adapters,
      batch,
      ndarray([this.#options.learningRate], []),
      ndarray([recon], []),
    );
    const { losses, total } = result;
    [this.#vectors, this.#state] = [result.vectors, result.optimizer];
    this.#given = this.#layout.adapters(await toHost(result.vectors), memory.adapters);
    memory.setAdapters(this.#given);
    const values = (await takeToHost({ ...losses, total })) as Record<keyof Losses | 'total', NDArray>;
    const of = (name: keyof typeof values) => values[name].data[0]!;
    return {
      total: of('total'),
      components: {
        prefixSemanticAnchor: of('prefixSemanticAnchor'),
        bundleAxisAlignment: of('bundleAxisAlignment'),
        crossBundleIndependence: of('crossBundleIndependence'),
        recon,
        writePolicy: of('writePolicy'),
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

  /** Gives the graph, the trained vectors and the optimiser's moments back to the engine; the memory keeps what was trained. */
  async dispose(): Promise<void> {
    await this.#step.dispose();
    disposeTree(this.#vectors);
    disposeTree(this.#state);
  }

  /** Trained vectors and moments, those of the last step unless the memory has other adapters now. */
  #inputs() {
    const { adapters } = this.memory;
    if (adapters !== this.#given) {
      disposeTree(this.#vectors);
      this.#vectors = undefined;
    }
    const vectors = this.#vectors ?? this.#layout.flat(adapters);
    const state = this.#state ?? this.#optimizer.init(this.#layout.flat(adapters));
    return { vectors, state };
  }

  readonly #update = (
    weights: TransformerParameters,
    vectors: FlatAdapters<tf.Tensor>,
    optimizer: AdamWState<FlatAdapters<tf.Tensor>>,
    adapters: AdapterParameters,
    batch: LossBatch<tf.Tensor>,
    learningRate: tf.Tensor,
    recon: tf.Tensor,
  ): StepResult => {
    const { config, text } = this.memory;
    const weightOf = (name: string) => config.lossWeights[name] ?? 1;
    const { value, gradients, aux } = valueAndGradient((arrays: FlatAdapters<tf.Tensor[]>) => {
      const own = this.#layout.shaped(arrays, adapters);
      const losses = batchLosses(config, text.model, weights, own, batch);
      const weighted = Object.entries<tf.Tensor>({ ...losses }).map(([name, loss]) =>
        tf.mul(loss, weightOf(name)),
      );
      return [tf.addN(weighted), losses] as const;
    }, this.#layout.arrays(vectors));
    const { gradients: clipped } = clipByGlobalNorm(
      this.#layout.gradients(gradients),
      this.#options.gradClip,
    );
    const next = this.#optimizer.update(vectors, clipped, optimizer, { learningRate });
    return {
      vectors: next.parameters,
      optimizer: next.state,
      losses: aux,
      total: tf.add(value, tf.mul(recon, weightOf('recon'))),
    };
  };
}
