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
  valueAndGradient,
} from '@palimpsest/tensor-core';
import { reconstruction } from '../losses/reconstruction.js';
import type { AdapterParameters } from '../model/adapters.js';
import type { MemLLM4 } from '../model/mem-llm.js';
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
  readonly adapters: AdapterParameters;
  readonly optimizer: AdamWState<AdapterParameters>;
  readonly losses: Losses;
  readonly total: tf.Tensor;
}

type Step = Compiled<
  [
    TransformerParameters,
    AdapterParameters,
    AdamWState<AdapterParameters>,
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
  #state: ToInput<AdamWState<AdapterParameters>> | undefined;

  constructor(
    readonly memory: MemLLM4,
    options: TrainerOptions = {},
  ) {
    const { learningRate = 3e-4, weightDecay = 0.01, gradClip = 1 } = options;
    this.#options = { learningRate, weightDecay, gradClip };
    this.#texts = new TrainingTexts(memory);
    this.#optimizer = adamw({ weightDecay });
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
    const state = this.#state ?? this.#optimizer.init(memory.adapters);
    const { adapters, optimizer, losses, total } = await this.#step(
      memory.text.weights,
      memory.adapters,
      state,
      batch,
      ndarray([this.#options.learningRate], []),
      ndarray([recon], []),
    );
    this.#state = optimizer;
    memory.setAdapters((await takeToHost(adapters)) as AdapterParameters<NDArray>);
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

  /** Gives the graph and the optimiser's moments back to the engine. */
  async dispose(): Promise<void> {
    await this.#step.dispose();
    disposeTree(this.#state);
  }

  readonly #update = (
    weights: TransformerParameters,
    adapters: AdapterParameters,
    optimizer: AdamWState<AdapterParameters>,
    batch: LossBatch<tf.Tensor>,
    learningRate: tf.Tensor,
    recon: tf.Tensor,
  ): StepResult => {
    const { config, text } = this.memory;
    const weightOf = (name: string) => config.lossWeights[name] ?? 1;
    const { value, gradients, aux } = valueAndGradient((own: AdapterParameters) => {
      const losses = batchLosses(config, text.model, weights, own, batch);
      const weighted = Object.entries<tf.Tensor>({ ...losses }).map(([name, loss]) =>
        tf.mul(loss, weightOf(name)),
      );
      return [tf.addN(weighted), losses] as const;
    }, adapters);
    const clipped = clipByGlobalNorm(gradients, this.#options.gradClip).gradients;
    const next = this.#optimizer.update(adapters, clipped, optimizer, { learningRate });
    return {
      adapters: next.parameters,
      optimizer: next.state,
      losses: aux,
      total: tf.add(value, tf.mul(recon, weightOf('recon'))),
    };
  };
}
