import {
  type Compiled,
  type DeviceArray,
  disposeTree,
  type Engine,
  type NDArray,
  ndarray,
  takeToHost,
  type tf,
} from '@palimpsest/tensor-core';
import type { PerBundle } from '../prefix/cross-bundle-attention.js';
import type { ConversationAdapters, FeatureStandard } from './adapters.js';
import { stacked, type TextFeatures } from './features.js';
import { type HeadInputs, type HeadParameters, memoryDirections, queryDirections } from './heads.js';

type Direct = Compiled<[HeadParameters, HeadInputs, tf.Tensor], PerBundle<tf.Tensor>>;
type Ask = Compiled<[HeadParameters, HeadInputs], PerBundle<tf.Tensor>>;

/** Features of texts at mean 0 and deviation 1, `[texts, width]` each. */
export interface StandardFeatures {
  readonly centroid: NDArray<'float32'>;
  readonly hidden: NDArray<'float32'>;
}

/** The trained maps on an engine: where memories and queries lie in the three bundles. */
export class Directions {
  /** What a cosine counts in each bundle: softplus of the trained numbers. */
  readonly weights: Readonly<PerBundle<number>>;
  readonly #heads: HeadParameters<DeviceArray>;
  readonly #direct: Direct;
  readonly #ask: Ask;

  constructor(
    engine: Engine,
    private readonly adapters: ConversationAdapters,
    private readonly width: number,
  ) {
    const { heads } = adapters;
    this.#heads = engine.put(heads);
    this.#direct = engine.compile(memoryDirections, { name: 'directions of memories' });
    this.#ask = engine.compile(queryDirections, { name: 'directions of queries' });
    const [time, topic, ctx] = Array.from(heads.rawBundleWeight.data, (raw) => Math.log1p(Math.exp(raw)));
    this.weights = { time: time!, topic: topic!, ctx: ctx! };
  }

  /** Features of texts that are remembered, as the maps read them. */
  standardMemories(features: readonly TextFeatures[]): StandardFeatures {
    return this.#standard(features, this.adapters.memories);
  }

  /**
   * Directions of memories.
   * @param summaries of the session when each was written, `[width]` each
   * @param times when each was written
   */
  async ofMemories(
    inputs: StandardFeatures,
    summaries: readonly Float32Array[],
    times: readonly number[],
  ): Promise<PerBundle<Float32Array>[]> {
    const summary = stacked(summaries, this.width);
    const at = ndarray(Float32Array.from(times), [times.length]);
    const found = await takeToHost<PerBundle<DeviceArray>>(
      await this.#direct(this.#heads, { ...inputs, summary }, at),
    );
    return times.map((_, row) => rowOf(found, row));
  }

  /** Directions that queries ask for, all beside the summary of the session. */
  async ofQueries(
    features: readonly TextFeatures[],
    summary: Float32Array,
  ): Promise<PerBundle<Float32Array>[]> {
    const inputs = this.#standard(features, this.adapters.queries);
    const summaries = stacked(
      features.map(() => summary),
      this.width,
    );
    const asked = await takeToHost<PerBundle<DeviceArray>>(
      await this.#ask(this.#heads, { ...inputs, summary: summaries }),
    );
    return features.map((_, row) => rowOf(asked, row));
  }

  /** Gives graphs and maps back to the engine. */
  async dispose(): Promise<void> {
    await Promise.all([this.#direct.dispose(), this.#ask.dispose()]);
    disposeTree(this.#heads);
  }

  #standard(features: readonly TextFeatures[], { centroid, hidden }: FeatureStandard): StandardFeatures {
    const centroids = features.map((one) => one.centroid);
    const states = features.map((one) => one.hidden);
    return {
      centroid: centroid.apply(stacked(centroids, this.width)),
      hidden: hidden.apply(stacked(states, this.width)),
    };
  }
}

/**
 * The directions of one text. A bundle that reads nothing, as that of the context without states, points along its first axis: its
 * cosine is the same for all memories then.
 */
function rowOf({ time, topic, ctx }: PerBundle<NDArray>, row: number): PerBundle<Float32Array> {
  const at = ({ data, shape }: NDArray) => {
    const own = Float32Array.from(data.slice(row * shape[1]!, (row + 1) * shape[1]!));
    if (own.every((value) => value === 0)) own[0] = 1;
    return own;
  };
  return { time: at(time), topic: at(topic), ctx: at(ctx) };
}
