import {
  dropoutWithMask,
  gelu,
  layerNorm,
  linear,
  stopGradient,
  stopGradientTree,
  swiGlu,
  tf,
} from '@palimpsest/tensor-core';
import type { OsamConfig } from './config.js';
import type { DropoutSource } from './dropout-source.js';
import type { MemoryInput, MemoryReader } from './memory/memory.js';
import { readSequential } from './memory/naive.js';
import { readParallel } from './memory/parallel.js';
import { ReadSchedule } from './memory/read-schedule.js';
import { valueScale } from './memory/value/value-scale.js';
import type { BlockParams, MlpParams } from './parameters.js';
import { phaseFeatures, positionPhases } from './phase.js';
import { featureReadout, type ReadoutContext, valueReadout } from './readout.js';
import type { BlockState } from './state.js';
import type { BlockPlan } from './tables.js';
import { type BlockTelemetry, blockTelemetry, collectedTokens } from './telemetry.js';

export interface BlockContext {
  /** Drop activations by these masks. */
  readonly dropout?: DropoutSource;
  /** Whether the tokens of this call read the memory; default: those at every `kUpdate`-th position. */
  readonly compute?: boolean;
  readonly telemetry?: boolean;
  /** Give the intermediate results. */
  readonly inspect?: boolean;
  /** Another way to read and write the memory; default: by the configuration's form. */
  readonly reader?: MemoryReader;
}

/** Intermediate results of a run, [batch, time, ...]; rows of tokens that do not read are zero in psi, vraw and vread. */
export interface BlockDetail {
  /** Turned queries and keys before sketching, [batch, time, 2 d]. */
  readonly query: tf.Tensor;
  readonly key: tf.Tensor;
  readonly value: tf.Tensor;
  readonly psi?: tf.Tensor | undefined;
  readonly vraw?: tf.Tensor | undefined;
  readonly hFeat?: tf.Tensor | undefined;
  readonly vread: tf.Tensor;
}

export interface BlockResult {
  /** [batch, time, d]. */
  readonly output: tf.Tensor;
  readonly state: BlockState;
  readonly telemetry?: BlockTelemetry | undefined;
  readonly detail?: BlockDetail | undefined;
}

/** Bounded scalars of a block: theta and omega = 0.5 tanh(raw), gates = cap sigmoid(raw). */
function boundedScalars(params: BlockParams, config: OsamConfig) {
  const half = (raw: tf.Tensor) => tf.mul(tf.tanh(raw), 0.5);
  const raw = params.omega;
  const omega = raw && config.omegaMode === 'scalar' ? tf.reshape(half(raw), [1]) : raw;
  return {
    thetaQ: half(params.thetaQuery),
    thetaK: half(params.thetaKey),
    omega,
    gateFeat: tf.mul(tf.sigmoid(params.gateFeature), config.gateCapFeat),
    gateVal: config.enableValuePath ? tf.mul(tf.sigmoid(params.gateValue), config.gateCapVal) : tf.scalar(0),
  };
}

/**
 * One OSAM block over a run of tokens (DERIVATION.md, "The block" and "The improved block"): reads the memory of all earlier tokens, adds what it read to
 * the residual and writes the run into the memory.
 *
 * @param input [batch, time, d]; @param position int32 [batch], position of the first token of every row.
 */
export function blockForward(
  params: BlockParams,
  input: tf.Tensor,
  position: tf.Tensor,
  state: BlockState,
  config: OsamConfig,
  plan: BlockPlan,
  context: BlockContext = {},
): BlockResult {
  const [batch, time] = input.shape as [number, number];
  const scalars = boundedScalars(params, config);
  const normed = params.inputNorm ? layerNorm(input, params.inputNorm.gain, params.inputNorm.bias) : input;
  const mixed = convolve(normed, params, state, config);
  const projected = project(mixed.output, params, state, config);
  const value = gatedValue(mixed.output, projected.value, params, config);
  const phases = scalars.omega && positionPhases(scalars.omega, position, time);
  const every = context.compute === undefined ? config.kUpdate : 1;
  const schedule = context.compute === false ? undefined : ReadSchedule.of(position, time, every);
  const scale = positionScale(position, time);
  const memoryInput: MemoryInput = {
    query: phaseFeatures(projected.query, scalars.thetaQ, phases, -1),
    key: phaseFeatures(projected.key, scalars.thetaK, phases, 1),
    value,
    positionScale: scale,
    valueScale: valueScale(position, time, scale, config),
    featureWeight: params.readout?.hidden.weight,
    state,
    schedule,
    wantPsi: context.inspect === true,
    wantNorm: context.telemetry === true,
  };
  const reader = context.reader ?? (config.form === 'sequential' ? readSequential : readParallel);
  const memory = reader(memoryInput, config, plan);
  const dropout = config.dropout > 0 ? context.dropout : undefined;
  const readoutContext: ReadoutContext = { config, batch, time, schedule, dropout };
  const feature =
    params.readout && featureReadout(memory.feature, params.readout, state.heldFeature, readoutContext);
  const told = config.enableValuePath
    ? valueReadout(memory.raw, params.valueProjection, state.heldValue, readoutContext)
    : undefined;
  const reads = [
    feature && tf.mul(scalars.gateFeat, feature.read),
    told && tf.mul(scalars.gateVal, told.read),
  ];
  const output = residual(params, input, reads, (added) =>
    context.dropout && config.mlpDropout > 0
      ? dropoutWithMask(added, context.dropout.keep('mlp', added.shape), config.mlpDropout)
      : added,
  );
  const next: BlockState = {
    ...memory.state,
    ...mixed.state,
    ...projected.state,
    ...(state.heldFeature && feature && { heldFeature: feature.last }),
    ...(state.heldValue && told && { heldValue: told.last }),
  };
  const telemetry = context.telemetry
    ? blockTelemetry(
        memoryInput,
        memory,
        collectedTokens(position, time, every, config),
        { ...scalars, omega: scalars.omega ? tf.mean(scalars.omega) : tf.scalar(0) },
        config,
        plan,
      )
    : undefined;
  const spread = (x: tf.Tensor) => schedule!.spread(x, tf.zeros([1, 1, x.shape[2]!]));
  const detail: BlockDetail | undefined = context.inspect
    ? {
        query: memoryInput.query,
        key: memoryInput.key,
        value,
        psi: memory.psi && spread(memory.psi),
        vraw: memory.raw && spread(memory.raw),
        hFeat: feature?.read,
        vread: told?.read ?? tf.zeros([batch, time, config.dModel]),
      }
    : undefined;
  return {
    output,
    state: config.gradientFlow === 'detached' ? stopGradientTree(next) : next,
    telemetry,
    detail,
  };
}

/** 1 / sqrt(position + 1), [batch, time, 1]. */
function positionScale(start: tf.Tensor, time: number): tf.Tensor {
  const offsets = tf.tensor2d(
    Float32Array.from({ length: time }, (_, index) => index + 1),
    [1, time],
  );
  return tf.expandDims(tf.rsqrt(tf.add(tf.expandDims(tf.cast(start, 'float32'), 1), offsets)), 2);
}

type Carried<Names extends keyof BlockState> = Pick<BlockState, Names>;

/** Causal depthwise convolution of the block's input: sum_i weight[i] x[t - i]. */
function convolve(
  x: tf.Tensor,
  { convolution }: BlockParams,
  state: BlockState,
  { convWidth }: OsamConfig,
): { output: tf.Tensor; state: Carried<'recent'> } {
  if (!convolution) return { output: x, state: {} };
  const time = x.shape[1]!;
  const known = state.recent ? tf.concat([state.recent, x], 1) : x;
  const taps = Array.from({ length: convWidth }, (_, age) => {
    const shifted = tf.slice(known, [0, convWidth - 1 - age, 0], [-1, time, -1]);
    return tf.mul(shifted, tf.slice(convolution.weight, [age, 0], [1, -1]));
  });
  const output = taps.reduce((sum, tap) => tf.add(sum, tap));
  return {
    output,
    state: state.recent ? { recent: tf.slice(known, [0, time, 0], [-1, convWidth - 1, -1]) } : {},
  };
}

/** Several projections of the same rows as one matrix product. */
function projectTogether(x: tf.Tensor, weights: readonly tf.Tensor[]): tf.Tensor[] {
  return tf.split(linear(x, tf.concat([...weights], 0)), weights.length, 2);
}

/** Queries, keys and values; with `keyMix` keys see a learned mixture of this input and the one before. */
function project(
  x: tf.Tensor,
  params: BlockParams,
  state: BlockState,
  config: OsamConfig,
): { query: tf.Tensor; key: tf.Tensor; value: tf.Tensor; state: Carried<'previous'> } {
  const [batch, time, width] = x.shape as [number, number, number];
  // A joint product would hand zeros to projections that nothing learns from; they get no gradient at all.
  const detached = config.gradientFlow === 'detached';
  const keyWeight = detached ? stopGradient(params.key.weight) : params.key.weight;
  const idle = detached || !config.enableValuePath;
  const weights = [params.query.weight, idle ? stopGradient(params.value.weight) : params.value.weight];
  if (!config.keyMix) {
    const [query, value, key] = projectTogether(x, [...weights, keyWeight]) as [
      tf.Tensor,
      tf.Tensor,
      tf.Tensor,
    ];
    return { query, value, key, state: {} };
  }
  const [query, value] = projectTogether(x, weights) as [tf.Tensor, tf.Tensor];
  const first = tf.expandDims(state.previous!, 1);
  const before = time === 1 ? first : tf.concat([first, tf.slice(x, [0, 0, 0], [-1, time - 1, -1])], 1);
  const share = tf.sigmoid(params.keyMix!);
  const mixture = tf.add(x, tf.mul(share, tf.sub(before, x)));
  const last = tf.reshape(tf.slice(x, [0, time - 1, 0], [-1, 1, -1]), [batch, width]);
  return { query, value, key: linear(mixture, keyWeight), state: { previous: last } };
}

/** What every head writes of the values, [batch, time, d]: all of them, or the share that its gate lets through. */
function gatedValue(
  x: tf.Tensor,
  value: tf.Tensor,
  { writeGate }: BlockParams,
  config: OsamConfig,
): tf.Tensor {
  if (!writeGate) return value;
  const [batch, time, width] = value.shape as [number, number, number];
  const { heads } = config;
  const share = tf.sigmoid(linear(x, writeGate.weight, writeGate.bias));
  const byHead = tf.reshape(value, [batch, time, heads, width / heads]);
  return tf.reshape(tf.mul(byHead, tf.expandDims(share, 3)), value.shape);
}

/** The residual sum with its normalisation, and the MLP if there is one. @param dropped what is left of what the MLP adds */
function residual(
  params: BlockParams,
  input: tf.Tensor,
  reads: readonly (tf.Tensor | undefined)[],
  dropped: (added: tf.Tensor) => tf.Tensor,
): tf.Tensor {
  const sum = reads.reduce<tf.Tensor>((total, read) => (read ? tf.add(total, read) : total), input);
  const output = params.norm ? layerNorm(sum, params.norm.gain, params.norm.bias) : sum;
  if (!params.mlp) return output;
  // Post-norm blocks normalise the sum with the MLP, pre-norm blocks its input.
  const { gain, bias } = params.mlp.norm;
  const added = dropped(mlp(params.norm ? output : layerNorm(output, gain, bias), params.mlp));
  const total = tf.add(output, added);
  return params.norm ? layerNorm(total, gain, bias) : total;
}

function mlp(x: tf.Tensor, params: MlpParams<tf.Tensor>): tf.Tensor {
  const up = linear(x, params.up.weight);
  const hidden = params.gate ? swiGlu(linear(x, params.gate.weight), up) : gelu(up);
  return linear(hidden, params.down.weight);
}
