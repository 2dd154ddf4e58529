import type {
  AnySequenceModel,
  ForwardContext,
  ForwardResult,
  JsonObject,
  ParameterGroup,
  SequenceModel,
  TensorTree,
} from '@palimpsest/lm';
import { conditional, InputError, type Rng, tf } from '@palimpsest/tensor-core';
import { type OmConfig, type OmOptions, resolveConfig } from './config.js';
import { advancePiece, keysOfOpen } from './continuation/advance.js';
import { recomputeWith } from './continuation/recompute-segment.js';
import { initialState, type OmState, stateAtBorder } from './continuation/state.js';
import { createOmDecoder } from './decoder/create-decoder.js';
import { prefersHost } from './decoder/host-weights.js';
import { embedIds } from './embedding.js';
import { runSegments } from './forms.js';
import { initParameters } from './initialization.js';
import { type CallOptions, readHead, setupOf } from './om-llm.js';
import type { OmParams } from './parameters.js';
import { contextIds, isCausal } from './plan.js';
import type { Setup } from './setup.js';
import { entropyWatcher, stateTelemetry } from './telemetry.js';

/** Om as a sequence model. */
export interface OmModel extends SequenceModel<OmParams, OmState> {
  /** Every option, decided. */
  readonly options: OmConfig;
}

/**
 * Om as a sequence model: `forward` with `training: true` starts at a segment border, lets gradients flow through all segments
 * of the call and into the learned states, and writes a shorter last segment early. With `training: false`, `forward` and
 * `step` are exact for any number of tokens from any position, and a segment is written when it is full.
 * @throws InputError for options that are wrong or do not fit together.
 */
export function createOmModel(options: OmOptions): OmModel {
  const config = resolveConfig(options);
  const model: OmModel = {
    name: 'om-arc',
    config: config as unknown as JsonObject,
    options: config,
    vocabSize: config.vocabSize,
    init: (rng: Rng) => initParameters(config, rng),
    initState: (params, batch) => initialState(setupOf(config), params, batch),
    forward: (params, tokens, state, context) =>
      context.training
        ? forwardTraining(config, params, tokens, state, context)
        : forwardExactly(config, params, tokens, state, context),
    step: (params, token, state) => {
      const { logits, state: next } = readPiece(
        setupOf(config),
        params,
        tf.expandDims(token, 1) as tf.Tensor2D,
        state,
      );
      return { logits: tf.reshape(logits, [token.shape[0], config.vocabSize]), state: next };
    },
    ...(isCausal(config) && { compaction: compactionOf(config) }),
    parameterGroups: () => parameterGroups,
  };
  if (!prefersHost(config)) return model;
  return {
    ...model,
    decodesBytes: true,
    decoder: (engine, params, decoding) =>
      createOmDecoder(engine, model as unknown as AnySequenceModel, config, params, decoding),
  };
}

/** States at the last border and the ids since then, without the keys that follow from them. */
function compactionOf(config: OmConfig): NonNullable<OmModel['compaction']> {
  return {
    reduce: ({ keys: _keys, ...kept }) => kept as unknown as TensorTree,
    expand: (params, reduced) => {
      const kept = reduced as unknown as Omit<OmState, 'keys'>;
      return { ...kept, keys: keysOfOpen(setupOf(config), params, kept.ids, kept.states) };
    },
  };
}

/** Norms, biases, λ vectors, tables of positions, first states and β do not decay where only matrices do. */
const parameterGroups: readonly ParameterGroup[] = [
  { match: /(norm|bias|lambda|cope|initState|beta|embedding)/i, decays: false },
];

/** Ids with the context before them. */
function withContext(state: OmState, tokens: tf.Tensor): tf.Tensor {
  return state.context ? tf.concat([state.context, tokens], 1) : tokens;
}

/** The last g ids. */
function lastIds(config: OmConfig, ids: tf.Tensor): tf.Tensor | undefined {
  const g = contextIds(config);
  return g === 0 ? undefined : tf.slice(ids, [0, ids.shape[1]! - g], [-1, g]);
}

function forwardTraining(
  config: OmConfig,
  params: OmParams,
  tokens: tf.Tensor2D,
  state: OmState,
  { dropoutKey, telemetry }: ForwardContext,
): ForwardResult<OmState> {
  const { watch, entropies } = entropyWatcher(config, telemetry === true);
  const options: CallOptions = {
    recompute: config.recompute,
    truncateEvery: config.tbpttSegments,
    dropoutKey,
    watch,
  };
  const setup = setupOf(config, options);
  const g = contextIds(config);
  const context = state.context ?? (g > 0 ? tf.slice(state.ids, [0, 0], [-1, g]) : undefined);
  const ids = withContext({ ...state, context }, tokens);
  const x = embedIds(config, params, ids);
  const { output, states } = runSegments(setup, params, x, layerStates(state), options);
  const after = tf.stack([...states], 1);
  return {
    logits: readHead(config, params, output) as tf.Tensor3D,
    state: stateAtBorder(setupOf(config), params, after, lastIds(config, ids)),
    telemetry: telemetry ? { ...entropies(), ...stateTelemetry(after) } : undefined,
  };
}

/** States per layer, `[batch, S, d]` each. */
const layerStates = ({ states }: OmState): tf.Tensor[] => tf.unstack(states, 1);

function forwardExactly(
  config: OmConfig,
  params: OmParams,
  tokens: tf.Tensor2D,
  state: OmState,
  { telemetry, onlyLast = false }: ForwardContext,
): ForwardResult<OmState> {
  const setup = setupOf(config);
  const time = tokens.shape[1];
  if (time < 1) throw new InputError('A text that is read has at least one token.');
  const whole = isCausal(config) ? time - (time % config.segmentLen) : 0;
  const part = (from: number, count: number) => tf.slice(tokens, [0, from], [-1, count]) as tf.Tensor2D;
  const first = whole > 0 ? readWhole(setup, params, part(0, whole), state, onlyLast) : undefined;
  const rest =
    whole < time
      ? readPieces(setup, params, part(whole, time - whole), first?.state ?? state, onlyLast)
      : undefined;
  const logits = [first, rest].flatMap((piece) => (piece ? [piece.logits] : [])).slice(onlyLast ? -1 : 0);
  const after = (rest ?? first)!.state;
  return {
    logits: (logits.length === 1 ? logits[0]! : tf.concat(logits, 1)) as tf.Tensor3D,
    state: after,
    telemetry: telemetry ? stateTelemetry(after.states) : undefined,
  };
}

interface Reading {
  /** `[batch, tokens, V]`. */
  readonly logits: tf.Tensor;
  readonly state: OmState;
}

/** Whole segments: in the plain form when all texts stand at a border, which they do when they are read in step. */
function readWhole(
  setup: Setup,
  params: OmParams,
  tokens: tf.Tensor2D,
  state: OmState,
  onlyLast: boolean,
): Reading {
  const { config } = setup;
  const isAtBorder = tf.all(tf.equal(state.position, tf.scalar(0, 'int32')));
  return conditional(
    isAtBorder,
    () => {
      const ids = withContext(state, tokens);
      const { output, states } = runSegments(
        setup,
        params,
        embedIds(config, params, ids),
        layerStates(state),
        { onlyLast },
      );
      const after = stateAtBorder(setup, params, tf.stack([...states], 1), lastIds(config, ids));
      return { logits: readHead(config, params, onlyLast ? lastRow(output) : output), state: after };
    },
    () => readPieces(setup, params, tokens, state, onlyLast),
  );
}

/** Any number of tokens from any position: pieces that cross at most one border, or token by token. */
function readPieces(
  setup: Setup,
  params: OmParams,
  tokens: tf.Tensor2D,
  state: OmState,
  onlyLast: boolean,
): Reading {
  const most = isCausal(setup.config) ? setup.config.segmentLen : 1;
  const time = tokens.shape[1];
  const logits: tf.Tensor[] = [];
  let current = state;
  for (let at = 0; at < time; at += most) {
    const piece = tf.slice(tokens, [0, at], [-1, Math.min(most, time - at)]) as tf.Tensor2D;
    const result = readPiece(setup, params, piece, current);
    logits.push(result.logits);
    current = result.state;
  }
  if (onlyLast) return { logits: lastRow(logits.at(-1)!), state: current };
  return { logits: logits.length === 1 ? logits[0]! : tf.concat(logits, 1), state: current };
}

/** `[batch, 1, width]`. */
function lastRow(x: tf.Tensor): tf.Tensor {
  const [, time, width] = x.shape as [number, number, number];
  return tf.slice(x, [0, time - 1, 0], [-1, 1, width]);
}

function readPiece(setup: Setup, params: OmParams, tokens: tf.Tensor2D, state: OmState): Reading {
  const { config } = setup;
  if (!isCausal(config)) {
    const { output, state: next } = recomputeWith(setup, params, tf.squeeze(tokens, [1]), state);
    return { logits: readHead(config, params, output), state: next };
  }
  const ids = withContext(state, tokens);
  const { output, position, ...next } = advancePiece(
    setup,
    params,
    embedIds(config, params, ids),
    tokens,
    state,
  );
  const context = lastIds(config, ids);
  // Branches of a conditional name the parts in one order.
  return {
    logits: readHead(config, params, output),
    state: { position, context, states: next.states, ids: next.ids, keys: next.keys },
  };
}
