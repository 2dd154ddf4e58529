import { stopGradient, stopGradientTree, tf } from '@palimpsest/tensor-core';
import type { OsamConfig } from './config.js';
import { type MemoryInput, type MemoryOutput, valueDecays } from './memory/memory.js';
import { valueKeys } from './memory/parallel.js';
import { exclusivePrefixSum } from './memory/prefix-sum.js';
import { ReadSchedule } from './memory/read-schedule.js';
import { readValues } from './memory/value/value-path.js';
import { applySketch, type BlockPlan } from './tables.js';

/** Figures of one block, all scalars (DERIVATION.md, "Telemetry"). */
export interface BlockTelemetry {
  /** Mean norm of the features psi. */
  readonly phiNorm: tf.Tensor;
  /** Mean norm of the key sum K. */
  readonly kNorm: tf.Tensor;
  /** Mean norm of the value memory per value channel, as the reference defines it. */
  readonly hNorm: tf.Tensor;
  /** kNorm + hNorm, the reference's figure. */
  readonly s1Norm: tf.Tensor;
  /** Mean Frobenius norm of the whole value memory. */
  readonly hFrobenius: tf.Tensor;
  readonly gateFeat: tf.Tensor;
  readonly gateVal: tf.Tensor;
  readonly thetaQ: tf.Tensor;
  readonly thetaK: tf.Tensor;
  /** Mean over channels with omegaMode 'channel'. */
  readonly omega: tf.Tensor;
}

export type PhaseScalars = Pick<BlockTelemetry, 'gateFeat' | 'gateVal' | 'thetaQ' | 'thetaK' | 'omega'>;

/** 1 for every token that telemetry collects, [batch, time]: it reads, and the stride meets it. */
export function collectedTokens(
  start: tf.Tensor,
  time: number,
  every: number,
  config: OsamConfig,
): tf.Tensor {
  const offsets = tf.tensor2d(
    Int32Array.from({ length: time }, (_, index) => index),
    [1, time],
    'int32',
  );
  const position = tf.add(tf.expandDims(start, 1), offsets);
  const divisible = (x: tf.Tensor, by: number) =>
    tf.equal(tf.mod(x, tf.scalar(by, 'int32')), tf.scalar(0, 'int32'));
  const { telemetryStride, telemetryRule } = config;
  const counted = telemetryRule === 'raw' ? position : tf.floorDiv(position, tf.scalar(every, 'int32'));
  return tf.cast(tf.logicalAnd(divisible(position, every), divisible(counted, telemetryStride)), 'float32');
}

/** Norms of the memory after every token, without building it per token. */
export function blockTelemetry(
  input: MemoryInput,
  output: MemoryOutput,
  collected: tf.Tensor,
  scalars: PhaseScalars,
  config: OsamConfig,
  plan: BlockPlan,
): BlockTelemetry {
  const frozen: MemoryInput = {
    ...input,
    query: stopGradient(input.query),
    key: stopGradient(input.key),
    value: stopGradient(input.value),
    state: stopGradientTree(input.state),
  };
  const count = tf.maximum(tf.sum(collected), 1);
  const mean = (x: tf.Tensor) => tf.div(tf.sum(tf.mul(x, collected)), count);
  const phi =
    output.psiNorm && input.schedule
      ? mean(
          tf.squeeze(
            input.schedule.spread(tf.expandDims(stopGradient(output.psiNorm), 2), tf.zeros([1, 1, 1])),
            [2],
          ),
        )
      : tf.scalar(0);
  const kNorm = config.featurePath ? mean(keyNorms(frozen, config, plan)) : tf.scalar(0);
  const channels = frozen.state.valueMemory ? valueNorms(frozen, config, plan) : undefined;
  const hNorm = channels ? mean(tf.mean(tf.sqrt(channels), 2)) : tf.scalar(0);
  const hFrobenius = channels ? mean(tf.sqrt(tf.sum(channels, 2))) : tf.scalar(0);
  return {
    phiNorm: phi,
    kNorm,
    hNorm,
    s1Norm: tf.add(kNorm, hNorm),
    hFrobenius,
    ...(stopGradientTree(scalars) as PhaseScalars),
  };
}

/** Norm of K after every token, [batch, time]. */
function keyNorms({ key, state }: MemoryInput, config: OsamConfig, plan: BlockPlan): tf.Tensor {
  const rows = applySketch(key, plan.key);
  const { before } = exclusivePrefixSum(rows, state.keySum!, config.decay, config.chunk);
  return tf.sqrt(tf.sum(tf.square(tf.add(tf.mul(before, config.decay), rows)), 2));
}

/**
 * Squared norm of every value channel of the memory after every token, [batch, time, d], from
 * |g G + v k|^2 = g^2 |G|^2 + 2 g v (G k) + v^2 |k|^2: a read with the key as the query, and prefix sums.
 */
function valueNorms(input: MemoryInput, config: OsamConfig, plan: BlockPlan): tf.Tensor {
  const { state, value } = input;
  const [batch, time, d] = value.shape as [number, number, number];
  const { heads } = config;
  const depth = d / heads;
  const key = valueKeys(input.key, config, plan);
  const values = tf.transpose(tf.reshape(value, [batch, time, heads, depth]), [0, 2, 1, 3]);
  const start = tf.zeros([batch], 'int32');
  const decays = valueDecays(config);
  const schedule = ReadSchedule.of(start, time, 1);
  const { raw } = readValues({
    query: key,
    key,
    value: values,
    memory: state.valueMemory!,
    decays,
    schedule,
    chunk: config.chunk,
  });
  const own = tf.mul(tf.square(values), tf.sum(tf.square(key), 3, true));
  const decay = tf.tensor4d([...decays], [1, heads, 1, 1]);
  const added = tf.add(own, tf.mul(tf.mul(decay, 2), tf.mul(values, raw)));
  const initial = tf.sum(tf.square(state.valueMemory!), 2);
  const perHead = decays.map((factor, head) => {
    const rows = tf.squeeze(tf.slice(added, [0, head, 0, 0], [-1, 1, -1, -1]), [1]);
    const first = tf.squeeze(tf.slice(initial, [0, head, 0], [-1, 1, -1]), [1]);
    const { before } = exclusivePrefixSum(rows, first, factor * factor, config.chunk);
    return tf.add(tf.mul(before, factor * factor), rows);
  });
  // Rounding may leave a tiny negative number where the memory is empty.
  return tf.relu(tf.concat(perHead, 2));
}
