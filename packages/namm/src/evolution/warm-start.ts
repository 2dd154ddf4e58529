import type { Transformer, TransformerParameters, TransformerState } from '@palimpsest/backbone';
import {
  type BatchSource,
  type SequenceModel,
  type TrainingEvent,
  type TrainingOptions,
  train,
} from '@palimpsest/lm';
import {
  type Engine,
  InputError,
  type NDArray,
  ndarray,
  Rng,
  stopGradient,
  type ToHost,
  tf,
} from '@palimpsest/tensor-core';
import { spectrumWidth } from '../check-config.js';
import type { NAMMConfig } from '../config.js';
import { groupMean } from '../features/attention-rows.js';
import { checkStatistics } from '../features/statistics.js';
import { advanceStream, type SpectrumStream } from '../features/stream.js';
import { featuresOf } from '../policy/namm-policy.js';
import { scorerSize } from '../scorer/layout.js';
import { scoreTokens } from '../scorer/score-tokens.js';
import { evolvedScales } from './convert-parameters.js';
import type { Statistics } from './trial.js';

/** What descent changes, and the model that it does not. */
export type WarmStartParameters<T = tf.Tensor> = {
  readonly model: TransformerParameters<T>;
  /** `[parameters]` in the layout of the configuration. */
  readonly policy: T;
};

export interface SoftPolicyOptions {
  readonly config: NAMMConfig;
  readonly statistics?: Statistics | undefined;
  /** Scores are divided by it before they weigh; above 0. Default 1. */
  readonly temperature?: number;
  /**
   * Nats that an entry costs at an update, in the mean over updates, layers, heads and texts, as far as it is kept:
   * sigmoid(score); not below 0. Without it nothing speaks for forgetting but what distracts. Default 0.
   */
  readonly price?: number;
}

/**
 * EXPERIMENTAL. A transformer whose cache is weighted instead of emptied: at every update each entry gets the bias
 * log sigmoid(score / temperature) for all queries until the next one, the newest 0, and nothing is removed. What makes the
 * features is constant, so gradients reach the policy alone, through the loss after the first update (DERIVATION.md, "A warm
 * start by descent").
 *
 * It is for training on windows that begin afresh: `forward` reads a text from its first token.
 * @param model with a cache that holds a whole window, rotary or other positions, no window and no sinks
 * @throws InputError for a model or a policy that this is not defined for, and for a temperature, a price or statistics out of range.
 */
export function softPolicyModel(
  model: Transformer,
  { config, statistics, temperature = 1, price = 0 }: SoftPolicyOptions,
): SequenceModel<WarmStartParameters, TransformerState> {
  if (model.options.window > 0 || model.options.sinks > 0) {
    throw new InputError(
      'A policy manages a transformer with full attention: this one has a window of its own.',
    );
  }
  if (config.paramSharing !== 'shared' || config.scorer === 'mlp' || config.scorer === 'linear') {
    throw new InputError('A warm start is defined for shared parameters of a scorer with attention.');
  }
  if (config.hierarchy) {
    throw new InputError(
      'A warm start removes nothing, so that no block can fall before its tokens; leave hierarchy out.',
    );
  }
  if (config.adaptive) {
    throw new InputError(
      'A warm start removes nothing, so that updates adapt to nothing; leave adaptive out until the policy is learned.',
    );
  }
  if (!(temperature > 0 && Number.isFinite(temperature))) {
    throw new InputError(
      `The temperature of a warm start is a number above 0, but ${temperature} was given.`,
    );
  }
  if (!(price >= 0 && Number.isFinite(price))) {
    throw new InputError(
      `The price of an entry is a number of nats that is not below 0, but ${price} was given.`,
    );
  }
  if (config.normalise && statistics) checkStatistics(statistics, spectrumWidth(config));
  const soft = new SoftPolicy(model, config, statistics, temperature, price);
  return {
    name: 'namm-warm-start',
    config: { model: model.config, temperature, price },
    vocabSize: model.vocabSize,
    init: (rng: Rng): WarmStartParameters<NDArray> => ({
      model: model.init(rng) as TransformerParameters<NDArray>,
      policy: rng.normalArray([scorerSize(config)], 0, 0.02),
    }),
    initState: (params, batch) => model.initState(params.model, batch),
    forward: (params, tokens, state) => soft.forward(params, tokens, state),
    step: () => {
      throw new InputError('A policy that only weighs its cache is trained, and does not decode.');
    },
    parameterGroups: () => [{ match: /^model/, frozen: true }],
  };
}

class SoftPolicy {
  constructor(
    private readonly model: Transformer,
    private readonly config: NAMMConfig,
    private readonly statistics: Statistics | undefined,
    private readonly temperature: number,
    private readonly price: number,
  ) {}

  forward(params: WarmStartParameters, tokens: tf.Tensor2D, start: TransformerState) {
    const { updateInterval } = this.config;
    const [batch, time] = tokens.shape;
    if (time > this.model.slots) {
      throw new InputError(`Windows of ${time} tokens do not fit into a cache of ${this.model.slots}.`);
    }
    const logits: tf.Tensor[] = [];
    const streams: (SpectrumStream | undefined)[] = [];
    const kept: tf.Tensor[] = [];
    let state = start;
    let slotBias: readonly tf.Tensor[] | undefined;
    for (let from = 0; from < time; from += updateInterval) {
      const length = Math.min(updateInterval, time - from);
      const piece = tf.slice(tokens, [0, from], [batch, length]);
      const result = this.model.run(params.model, { tokens: piece, ...(slotBias && { slotBias }) }, state, {
        observedQueries: length,
      });
      logits.push(result.logits!);
      state = result.state;
      if (length < updateInterval || from + length === time) break;
      slotBias = result.attention!.map((attention, layer) => {
        streams[layer] = this.#observe(attention, from + length, streams[layer]);
        const scores = this.#scores(params.policy, layer, streams[layer]!);
        kept.push(tf.mean(tf.sum(tf.sigmoid(scores), 2)));
        return this.#bias(scores);
      });
    }
    const joined = logits.length === 1 ? logits[0]! : tf.concat(logits, 1);
    const cost = this.price > 0 && kept.length > 0 && tf.mul(tf.mean(tf.stack(kept)), this.price);
    return { logits: joined as tf.Tensor3D, state, ...(cost && { auxiliaryLoss: cost }) };
  }

  /** Takes in the rows of an interval; the entries are the last columns, in order of age. */
  #observe(attention: tf.Tensor, entries: number, before: SpectrumStream | undefined): SpectrumStream {
    const [batch, heads, queries, columns] = attention.shape as [number, number, number, number];
    const seen = tf.slice(attention, [0, 0, 0, columns - entries], [batch, heads, queries, entries]);
    const rows = stopGradient(groupMean(seen, this.model.options.keyValueHeads)) as tf.Tensor;
    return advanceStream(this.config, rows, before);
  }

  /** Scores of a layer's entries, `[batch, heads, entries]`. */
  #scores(policy: tf.Tensor, layer: number, { average }: SpectrumStream): tf.Tensor {
    const [batch, heads, , entries] = average.shape as [number, number, number, number];
    const places = placesOf(entries);
    const positions = tf.broadcastTo(places, [batch, heads, entries]);
    const row = this.config.normalise ? (this.statistics?.[layer] ?? this.statistics?.[0]) : undefined;
    const parameters: Record<string, tf.Tensor> = row
      ? { mean: tf.tensor1d(row.mean), variance: tf.tensor1d(row.variance) }
      : {};
    const features = featuresOf(this.config, { positions, parameters }, average);
    const scaled = tf.mul(policy, tf.tensor1d(evolvedScales(this.config)));
    const flat = tf.reshape(scaled, [1, 1, policy.size]);
    return scoreTokens(this.config, flat, { features, positions });
  }

  /** The bias of a layer's slots, `[batch, heads, slots]`; empty ones stand before the entries. */
  #bias(scores: tf.Tensor): tf.Tensor {
    const entries = scores.shape[2]!;
    // log sigmoid(x), also where it is far below zero.
    const weight = tf.neg(tf.softplus(tf.div(scores, -this.temperature)));
    const isOld = tf.less(placesOf(entries), tf.scalar(entries - 1, 'int32'));
    const bias = tf.mul(weight, tf.cast(isOld, 'float32'));
    return tf.pad(bias, [
      [0, 0],
      [0, 0],
      [this.model.slots - entries, 0],
    ]);
  }
}

const placesOf = (entries: number): tf.Tensor =>
  tf.reshape(tf.range(0, entries, 1, 'int32'), [1, 1, entries]);

export interface WarmStartOptions extends SoftPolicyOptions {
  readonly engine: Engine;
  readonly model: Transformer;
  /** On the host. */
  readonly params: ToHost<TransformerParameters>;
  /** Windows longer than an interval, each with a fresh memory. */
  readonly source: BatchSource;
  /** First vector, in the layout of the configuration. Default: normal numbers of deviation 0.02. */
  readonly start?: ArrayLike<number>;
  readonly settings?: TrainingOptions;
  readonly signal?: AbortSignal | undefined;
}

/**
 * EXPERIMENTAL. Learns a first vector for `evolveNamm` by descent on the loss of the next token, with the cache weighted
 * instead of emptied. Gives the events of lm's `train`; the last one's parameters have the vector as `policy`.
 * @throws InputError for windows that end before anything is weighted.
 */
export async function* warmStart(options: WarmStartOptions): AsyncGenerator<TrainingEvent, void, undefined> {
  const { engine, model, params, source, start, settings = {}, signal, config } = options;
  if (source.time <= config.updateInterval || source.carriesState) {
    throw new InputError(
      `A warm start needs windows that begin afresh and are longer than an interval of ${config.updateInterval} tokens, but they have ${source.time}.`,
    );
  }
  const soft = softPolicyModel(model, options);
  const size = scorerSize(config);
  const seed = settings.seed ?? 0;
  const policy = start ? ndarray(Float32Array.from(start)) : Rng.fromSeed(seed).normalArray([size], 0, 0.02);
  yield* train({
    engine,
    model: soft,
    source,
    params: { model: params, policy },
    settings: { weightDecay: 0, ...settings },
    ...(signal && { signal }),
  });
}
