import type {
  ForwardContext,
  ForwardResult,
  JsonObject,
  ParameterGroup,
  SequenceModel,
} from '@palimpsest/lm';
import type { NDArray, Rng, tf } from '@palimpsest/tensor-core';
import { isCausal, type RsmConfig, type RsmOptions, resolveConfig } from './config.js';
import { CausalDecoder } from './decoder/causal-decoder.js';
import { fitsHost } from './decoder/host.js';
import { RecomputingDecoder } from './decoder/recomputing-decoder.js';
import { forwardExactly, forwardTraining } from './forms/forward.js';
import { stepPrefix } from './forms/prefix.js';
import { step } from './forms/step.js';
import { initLegacy } from './legacy/parameters.js';
import { initParameters, parameterCount, type RsmParams } from './parameters.js';
import { initialState, type RsmState } from './state.js';
import { rsmTelemetry } from './telemetry.js';

/** A rolling state memory transformer as a sequence model. */
export interface RsmModel extends SequenceModel<RsmParams, RsmState> {
  /** Every option, decided. */
  readonly options: RsmConfig;
  forward(
    params: RsmParams,
    tokens: tf.Tensor2D,
    state: RsmState,
    context: ForwardContext,
  ): ForwardResult<RsmState>;
  /** What the model is, for people. */
  summary(): RsmSummary;
}

/** Sizes of a model. */
export interface RsmSummary {
  readonly vocabSize: number;
  readonly hiddenSize: number;
  readonly numLayers: number;
  readonly numHeads: number;
  readonly numMemorySlots: number;
  readonly chunkSize: number;
  readonly useGlobalSync: boolean;
  /** Trainable numbers: of the model, of its sync, of both. */
  readonly parameters: { readonly model: number; readonly sync: number; readonly total: number };
  /** Of the parameters as float32, in units of 1024² bytes. */
  readonly megabytes: number;
}

/**
 * A rolling state memory transformer (DERIVATION.md, "Wirings"): a preset, and whatever shall differ from it.
 *
 * `forward` with `training: true` starts at a chunk border, computes all chunks of the call at once where the wiring allows
 * it, lets gradients flow through all of them (train on `tbpttChunks` x `chunkSize` tokens a call), and writes a shorter last
 * chunk early. With `training: false`, `forward` and `step` are exact for any number of tokens from any state, and a chunk is
 * written when it is full. In the presets `parity` and `legacy`, whose blocks leak the future of the chunk, training shows
 * the leak, as published, while evaluation and decoding compute the chunk anew for every token from what may be known.
 *
 * @throws InputError for options that are wrong or do not fit together.
 */
export function createRsmModel(options: RsmOptions): RsmModel {
  const config = resolveConfig(options);
  const causal = isCausal(config);
  return {
    name: 'rsm',
    config: config as unknown as JsonObject,
    options: config,
    vocabSize: config.vocabSize,
    init: (rng: Rng) =>
      (config.preset === 'legacy'
        ? initLegacy(config, rng)
        : initParameters(config, rng)) as unknown as RsmParams<NDArray>,
    initState: (params, batch) => initialState(config, params, batch),
    forward: (params, tokens, state, context) => {
      if (!context.training) {
        const result = forwardExactly(config, params, tokens, state);
        return {
          ...result,
          telemetry: context.telemetry ? rsmTelemetry(config, result.state.memory, []) : undefined,
        };
      }
      const {
        logits,
        state: next,
        gates,
      } = forwardTraining(config, params, tokens, state, context.dropoutKey);
      return {
        logits,
        state: next,
        telemetry: context.telemetry ? rsmTelemetry(config, next.memory, gates) : undefined,
      };
    },
    step: (params, token, state) => (causal ? step : stepPrefix)(config, params, token, state),
    // A sliding window is decoded by the step, which keeps whole chunks and masks them.
    ...(!(causal && config.slidingWindow > 0) && {
      decoder: (engine, params, { bits } = {}) =>
        causal
          ? CausalDecoder.create(engine, config, params, { bits })
          : RecomputingDecoder.create(engine, config, params),
      decodesBytes: causal && fitsHost(config),
    }),
    speaking: causal ? undefined : { sampling: { topKRule: 'ties', topPRule: 'inclusive' } },
    parameterGroups: () => rsmParameterGroups,
    summary: () => summarise(config),
  };
}

/** Embeddings, first memories and slot identities are no matrices that decay. */
const rsmParameterGroups: readonly ParameterGroup[] = [
  { match: /^(tokenEmbedding|memoryInit|slotIdentity)$/, decays: false },
];

function summarise(config: RsmConfig): RsmSummary {
  const { vocabSize, hiddenSize, numLayers, numHeads, numMemorySlots, chunkSize, useGlobalSync } = config;
  const total = parameterCount(config);
  const model = parameterCount({ ...config, useGlobalSync: false });
  return {
    vocabSize,
    hiddenSize,
    numLayers,
    numHeads,
    numMemorySlots,
    chunkSize,
    useGlobalSync,
    parameters: { model, sync: total - model, total },
    megabytes: Math.round((40 * total) / 1024 ** 2) / 10,
  };
}

/** The summary as lines of text. */
export function formatSummary(summary: RsmSummary): string {
  const { parameters } = summary;
  const rows: readonly (readonly [string, string | number])[] = [
    ['vocabulary', summary.vocabSize],
    ['hidden size', summary.hiddenSize],
    ['layers', summary.numLayers],
    ['heads', summary.numHeads],
    ['memory slots', summary.numMemorySlots],
    ['chunk size', summary.chunkSize],
    ['global sync', summary.useGlobalSync ? 'yes' : 'no'],
    ['parameters', `${parameters.model} + ${parameters.sync} of the sync = ${parameters.total}`],
    ['size', `${summary.megabytes.toFixed(1)} MB`],
  ];
  return rows.map(([name, value]) => `${name.padEnd(13)} ${value}`).join('\n');
}
