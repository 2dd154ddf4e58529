import type {
  AnySequenceModel,
  ForwardContext,
  ForwardResult,
  JsonObject,
  ParameterGroup,
  SequenceModel,
} from '@palimpsest/lm';
import { createHostDecoder, StepDecoder } from '@palimpsest/lm';
import { InputError, type Matrix, type NDArray, tf, treeMap } from '@palimpsest/tensor-core';
import { emptyState, markEmpty, slotsOf, type TransformerState } from './cache.js';
import {
  type CacheOptions,
  resolveConfig,
  type TransformerConfig,
  type TransformerOptions,
} from './config.js';
import { type DecoderOptions, type DecoderResult, decoderTables, runDecoder } from './decoder.js';
import type { FrozenMatrices } from './frozen-transformer.js';
import { FusedDecoder } from './fused-decoder.js';
import { isFusible } from './fused-forms.js';
import { GrowingDecoder, growsWithText } from './growing-decoder.js';
import { EvictingHostForm } from './host/evicting-form.js';
import { TransformerHostForm } from './host/form.js';
import { fitsHost, fitsHostEvicting, HostWeights } from './host/weights.js';
import type { DecoderInput } from './input-rows.js';
import { KernelDecoder } from './kernels/decoder.js';
import { fitsKernels } from './kernels/weights.js';
import { type PackedTexts, runPacked } from './packed-texts.js';
import { initParameters, type TransformerParameters, transformerParameterGroups } from './parameters.js';

/** A decoder-only transformer; `P` is how it is given its weights. */
export interface Transformer<P = TransformerParameters> extends SequenceModel<P, TransformerState> {
  readonly name: 'transformer';
  /** Every option, decided. */
  readonly options: TransformerConfig;
  /** Slots of the cache of every layer. */
  readonly slots: number;
  /** The general form: soft and per-layer prefixes, padding, hidden states, attention probabilities. */
  run(params: P, input: DecoderInput, state: TransformerState, options?: DecoderOptions): DecoderResult;
  /**
   * Logits of chosen rows of texts of unequal length, `[read, vocabSize]`, from their beginning and without their padding; see `packTexts`.
   * @throws InputError when the shapes of the input do not fit the model.
   */
  readPacked(params: P, input: Pick<DecoderInput, 'tokens' | 'softPrefix'>, packed: PackedTexts): tf.Tensor2D;
  forward(
    params: P,
    tokens: tf.Tensor2D,
    state: TransformerState,
    context: ForwardContext,
  ): ForwardResult<TransformerState>;
  parameterGroups(): readonly ParameterGroup[];
  /**
   * A model of the same weights whose memory holds something else.
   * @throws InputError for options that do not fit together.
   */
  withCache(cache: CacheOptions): Transformer<P>;
  /** Tokens one by one on the processor over an evictable cache, for models that are read faster there. */
  readonly hostForm?: ((params: TransformerParameters<NDArray>) => EvictingHostForm) | undefined;
}

/**
 * The transformer that a rule for its memory shall be applied to.
 * @throws InputError for a model without keys and values.
 */
export function transformerOf(model: AnySequenceModel, memory: string): Transformer {
  if (isTransformer(model)) return model;
  throw new InputError(
    `The memory '${memory}' decides what a transformer's cache of keys and values forgets, but '${model.name}' has none.`,
  );
}

const isTransformer = (model: AnySequenceModel): model is AnySequenceModel & Transformer =>
  model.name === 'transformer' && 'run' in model && 'withCache' in model;

/**
 * A decoder-only transformer whose state is a key/value cache of fixed capacity. A text longer than the capacity is
 * read on: the oldest entry then makes room for the newest.
 * @param options `vocabSize` and whatever shall differ from the defaults; `presets` has ready ones.
 * @throws InputError for options that are wrong or do not fit together.
 */
export function createTransformer(options: TransformerOptions): Transformer {
  const config = resolveConfig(options);
  return onHost(
    transformerOver(
      config,
      (params: TransformerParameters) => params,
      (rng) => initParameters(config, rng),
    ),
  );
}

/** Small models decode on the processor. */
function onHost(model: Transformer): Transformer {
  const withCache: Transformer['withCache'] = (cache) => onHost(model.withCache(cache));
  if (fitsHostEvicting(model.options)) {
    return {
      ...model,
      withCache,
      hostForm: (params) => new EvictingHostForm(new HostWeights(model.options, params)),
    };
  }
  if (!fitsHost(model.options)) return { ...model, withCache };
  const formOf = (params: unknown) =>
    new TransformerHostForm(new HostWeights(model.options, params as TransformerParameters<NDArray>));
  return {
    ...model,
    withCache,
    decoder: (engine, params, decoding) => createHostDecoder(engine, model, params, formOf, decoding),
  };
}

/**
 * A decoder-only transformer whose weights come in a form of their own.
 * @param complete all weights, from those that are given at every call
 * @param matrices those that are not among the weights that are given, since they stay as they are
 */
export function transformerOver<P>(
  config: TransformerConfig,
  complete: (params: P) => TransformerParameters<tf.Tensor, Matrix>,
  init: Transformer<P>['init'],
  matrices?: FrozenMatrices,
): Transformer<P> {
  const tables = decoderTables(config);
  const run: Transformer<P>['run'] = (params, input, state, decoderOptions) =>
    runDecoder(config, tables, complete(params), input, state, decoderOptions);
  const model: Transformer<P> = {
    name: 'transformer',
    config: config as unknown as JsonObject,
    options: config,
    vocabSize: config.vocabSize,
    slots: slotsOf(config),
    init,
    initState: (_params, batch) =>
      markEmpty(
        treeMap<NDArray, tf.Tensor>(emptyState(config, batch), constant) as unknown as TransformerState,
      ),
    run,
    readPacked: (params, input, packed) => {
      const batch = packed.queries.shape[0]!;
      return runPacked(config, tables, complete(params), input, packed, model.initState(params, batch));
    },
    longestPiece: config.positions === 'learned' ? config.context : undefined,
    forward: (params, tokens, state, { training, dropoutKey, telemetry, places }) => {
      const result = run(params, { tokens }, state, { training, dropoutKey, logits: places ?? 'all' });
      const logits = result.logits!;
      return {
        logits,
        placed: places && (tf.reshape(logits, [places.size, config.vocabSize]) as tf.Tensor2D),
        state: result.state,
        telemetry: telemetry ? { cacheFill: cacheFill(result.state) } : undefined,
      };
    },
    step: (params, token, state) => {
      const batch = token.shape[0];
      const { logits, state: next } = run(params, { tokens: tf.reshape(token, [batch, 1]) }, state);
      return { logits: tf.reshape(logits!, [batch, config.vocabSize]) as tf.Tensor2D, state: next };
    },
    parameterGroups: () => transformerParameterGroups,
    withCache: (cache) => {
      const { capacity: _, window: _w, sinks: _s, evictable: _e, ...weights } = config;
      return transformerOver(resolveConfig({ ...weights, ...cache }), complete, init, matrices);
    },
  };
  const grows = growsWithText(config);
  if (!grows && !matrices) return model;
  const byGraph: Transformer<P>['decoder'] = (engine, params, decoding) => {
    if (matrices && decoding?.freeze !== false && isFusible(engine, config)) {
      return FusedDecoder.create(engine, model, complete, params, decoding);
    }
    return grows
      ? GrowingDecoder.create(engine, model, params, decoding)
      : StepDecoder.create(engine, model, params, decoding);
  };
  return {
    ...model,
    decoder: (engine, params, decoding) => {
      const graph = async () => byGraph(engine, params, decoding);
      return matrices && decoding?.freeze !== false && fitsKernels(engine, config, matrices)
        ? KernelDecoder.create(engine, model, matrices, params, graph)
        : graph();
    },
  };
}

/** A constant that repeats one number, which graphs keep symbolic. */
const constant = ({ data, shape, dtype }: NDArray): tf.Tensor =>
  tf.fill([...shape], data[0] ?? 0, dtype as 'float32' | 'int32');

/** Share of the slots that hold an entry, mean over texts, layers and heads. */
function cacheFill(state: TransformerState): tf.Tensor {
  const positions = state.positions ? [state.positions] : state.layers.map((layer) => layer.positions!);
  const shares = positions.map((slots) =>
    tf.mean(tf.cast(tf.greaterEqual(slots, tf.scalar(0, 'int32')), 'float32')),
  );
  return tf.mean(tf.stack(shares));
}
