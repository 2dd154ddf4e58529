import { requireMemory } from '@palimpsest/base';
import type {
  ForwardContext,
  ForwardResult,
  JsonObject,
  ParameterGroup,
  SequenceModel,
} from '@palimpsest/lm';
import { embedding, layerNorm, linear, type NDArray, type Rng, tf, treeMap } from '@palimpsest/tensor-core';
import { type BlockDetail, blockForward } from './block.js';
import { blockConfig, type OsamConfig, type OsamOptions, resolveConfig } from './config.js';
import { decoderInTurns, decoderOnHost } from './decoder.js';
import { type DropoutSource, keyedMasks } from './dropout-source.js';
import { fitsHost } from './host/form.js';
import { initParameters, type OsamParams, parameterCount } from './parameters.js';
import { emptyState, type OsamState } from './state.js';
import { type BlockPlan, type BlockTables, createBlockTables, planBlock } from './tables.js';
import type { BlockTelemetry } from './telemetry.js';

export interface OsamForwardContext extends ForwardContext {
  /** Dropout masks of every block, in place of a key. */
  readonly dropout?: readonly DropoutSource[];
  /** Whether the tokens of this call read the memory; default: those at every `kUpdate`-th position. */
  readonly compute?: boolean | undefined;
  /** Give intermediate results of every block. */
  readonly inspect?: boolean;
}

export interface OsamForwardResult extends ForwardResult<OsamState> {
  /** Output and intermediate results of every block, if asked for. */
  readonly blocks?: readonly (BlockDetail & { readonly output: tf.Tensor })[] | undefined;
}

/** An OSAM language model. */
export interface OsamModel extends SequenceModel<OsamParams, OsamState> {
  /** Every option, decided. */
  readonly options: OsamConfig;
  /** Hash tables of every block and what follows from them. */
  readonly plans: readonly BlockPlan[];
  forward(
    params: OsamParams,
    tokens: tf.Tensor2D,
    state: OsamState,
    context: OsamForwardContext,
  ): OsamForwardResult;
  /** `compute` says whether the token reads the memory, for hosts that count positions themselves. */
  step(
    params: OsamParams,
    token: tf.Tensor1D,
    state: OsamState,
    compute?: boolean,
  ): { logits: tf.Tensor2D; state: OsamState };
  parameterGroups(): readonly ParameterGroup[];
}

/**
 * An OSAM language model: embedding, one or more blocks, linear head.
 * @param options `vocabSize` and whatever shall differ from the defaults (see `osamConfigSchema` and `presets`).
 * @param tables hash tables of every block, as a checkpoint carries them; default: drawn from the hash seeds.
 * @throws InputError for options that are wrong or do not fit together.
 */
export function createOsamModel(options: OsamOptions, tables?: readonly BlockTables[]): OsamModel {
  const config = resolveConfig(options);
  // The tables of the sketch alone take minutes for widths that no memory holds.
  const parameters = parameterCount(config);
  requireMemory(4 * parameters, `A model of ${parameters} parameters, at 4 bytes each,`);
  const configs = Array.from({ length: config.layers }, (_, block) => blockConfig(config, block));
  const plans = configs.map((block, index) => planBlock(tables?.[index] ?? createBlockTables(block)));

  const forward: OsamModel['forward'] = (params, tokens, state, context) => {
    let rows = embedding(params.embedding, tokens);
    const results = configs.map((block, index) => {
      const result = blockForward(
        params.blocks[index]!,
        rows,
        state.position,
        state.blocks[index]!,
        block,
        plans[index]!,
        {
          ...dropoutOf(context, index, config),
          ...(context.compute !== undefined && { compute: context.compute }),
          telemetry: context.telemetry === true,
          inspect: context.inspect === true,
        },
      );
      rows = result.output;
      return result;
    });
    const position = tf.add(state.position, tf.scalar(tokens.shape[1], 'int32'));
    return {
      logits: readHead(params, rows, config) as tf.Tensor3D,
      state: { position, blocks: results.map((result) => result.state) },
      telemetry: context.telemetry ? meanTelemetry(results.map((result) => result.telemetry!)) : undefined,
      blocks: context.inspect ? results.map(({ detail, output }) => ({ ...detail!, output })) : undefined,
    };
  };

  const step: OsamModel['step'] = (params, token, state, compute) => {
    const tokens = tf.reshape(token, [-1, 1]) as tf.Tensor2D;
    const result = forward(params, tokens, state, {
      training: false,
      compute,
    });
    return { logits: tf.reshape(result.logits, [-1, config.vocabSize]) as tf.Tensor2D, state: result.state };
  };

  const model: OsamModel = {
    name: 'osam',
    config: config as unknown as JsonObject,
    options: config,
    vocabSize: config.vocabSize,
    speaking: { priming: config.priming, sampling: { topPRule: config.topPRule } },
    plans,
    init: (rng: Rng) => initParameters(config, rng),
    initState: (_params, batch) => asTensors(emptyState(config, plans, batch)),
    forward,
    step,
    parameterGroups: () => osamParameterGroups,
  };
  if (fitsHost(config, parameters)) return { ...model, decoder: decoderOnHost(model) };
  // With every position reading, a step has nothing to choose.
  return config.kUpdate === 1 ? model : { ...model, decoder: decoderInTurns(model) };
}

/** Phases and gates learn ten times faster, which is what opens the memory; decay would open it by itself. */
const osamParameterGroups: readonly ParameterGroup[] = [
  { match: /\.(thetaQuery|thetaKey|omega|gateFeature|gateValue)$/, rate: 10, decays: false },
  { match: /(^embedding|\.bias|\.gain|\.keyMix)$/, decays: false },
];

function asTensors(state: OsamState<NDArray>): OsamState {
  return treeMap(state, ({ data, shape, dtype }: NDArray) => tf.tensor(data, [...shape], dtype));
}

function dropoutOf(
  context: OsamForwardContext,
  block: number,
  { dropout, mlpDropout }: OsamConfig,
): { dropout?: DropoutSource } {
  if (!context.training || (dropout === 0 && mlpDropout === 0)) return {};
  const given = context.dropout?.[block];
  if (given) return { dropout: given };
  if (!context.dropoutKey) return {};
  const rates = { readout: dropout, value: dropout, mlp: mlpDropout };
  return { dropout: keyedMasks(context.dropoutKey, block, rates) };
}

/** Logits from the last block's output. A tied head is scaled down to logits of unit variance at the start. */
function readHead(params: OsamParams, rows: tf.Tensor, config: OsamConfig): tf.Tensor {
  const normed = params.finalNorm ? layerNorm(rows, params.finalNorm.gain, params.finalNorm.bias) : rows;
  if (params.head) return linear(normed, params.head.weight);
  return tf.mul(linear(normed, params.embedding), 1 / (config.embeddingInitStd * Math.sqrt(config.dModel)));
}

/** Means over blocks under the plain names, and with several blocks each block's own under `blocks.<l>.<name>`. */
function meanTelemetry(blocks: readonly BlockTelemetry[]): Record<string, tf.Tensor> {
  const names = Object.keys(blocks[0]!) as (keyof BlockTelemetry)[];
  const mean = (name: keyof BlockTelemetry) => tf.mean(tf.stack(blocks.map((block) => block[name])));
  const means = Object.fromEntries(names.map((name) => [name as string, mean(name)]));
  if (blocks.length === 1) return means;
  const each = blocks.flatMap((block, index) =>
    names.map((name) => [`blocks.${index}.${name}`, block[name]] as [string, tf.Tensor]),
  );
  return { ...means, ...Object.fromEntries(each) };
}
