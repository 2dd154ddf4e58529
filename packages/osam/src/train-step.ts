import {
  type AdamWState,
  adamw,
  clipByGlobalNorm,
  crossEntropy,
  type ParameterGroup,
  tf,
  treeMap,
  valueAndGradient,
} from '@palimpsest/tensor-core';
import { type GivenMasks, givenMasks } from './dropout-source.js';
import type { OsamModel } from './model.js';
import type { OsamParams } from './parameters.js';

/** Options of the reference's training loop (osam.md 6). */
export interface TrainStepOptions {
  /** Default 0.01. */
  readonly weightDecay?: number;
  /** Largest global gradient norm; 0 or less: no clipping. Default 1. */
  readonly gradClip?: number;
  /** Default 0. */
  readonly labelSmoothing?: number;
  /** Targets with this id do not count. Default: all count. */
  readonly ignoreIndex?: number;
  /** Compute telemetry with every step; it costs a second read of the value memory. Default false. */
  readonly telemetry?: boolean;
  /** Give the phases (theta, omega) no gradient. Default false. */
  readonly freezePhase?: boolean;
  /** Factor on the learning rate of phases and gates. Default 10. */
  readonly specialRateFactor?: number;
  /** Default [0.9, 0.95]. */
  readonly betas?: readonly [number, number];
  /** Default 1e-8. */
  readonly epsilon?: number;
  /** Decay every parameter that has a gradient, as the reference does, or matrices alone. Default: by the model's mode. */
  readonly decayAll?: boolean;
}

export interface TrainInputs {
  /** int32 [batch, time]. */
  readonly x: tf.Tensor2D;
  readonly y: tf.Tensor2D;
  /** Scalar. */
  readonly learningRate: tf.Tensor;
  /** Dropout masks per block, or a key to draw them from. */
  readonly masks?: readonly GivenMasks[];
  readonly dropoutKey?: tf.Tensor;
}

export interface TrainOutputs {
  readonly params: OsamParams;
  readonly optimizer: AdamWState<OsamParams>;
  readonly loss: tf.Tensor;
  /** Global gradient norm before and after clipping; the reference reports the second. */
  readonly gradNorm: tf.Tensor;
  readonly gradNormClipped: tf.Tensor;
  /** Empty unless asked for. */
  readonly telemetry: Readonly<Record<string, tf.Tensor>>;
}

const isPhase = (path: string) => /\.(thetaQuery|thetaKey|omega)$/.test(path);
const isSpecial = (path: string) => isPhase(path) || /\.(gateFeature|gateValue)$/.test(path);
const isVectorOrTable = (path: string) => /(^embedding|\.bias|\.gain|\.keyMix)$/.test(path);

function parameterGroups(options: TrainStepOptions, decayAll: boolean): ParameterGroup[] {
  const rateMultiplier = options.specialRateFactor ?? 10;
  if (decayAll) return [{ match: isSpecial, rateMultiplier }];
  return [
    { match: isSpecial, rateMultiplier, weightDecay: 0 },
    { match: isVectorOrTable, weightDecay: 0 },
  ];
}

/**
 * One step of the reference's training loop as a pure function, for `engine.compile`: forward from an empty memory, mean
 * cross-entropy, clipping, AdamW with phases and gates at ten times the rate.
 */
export function createTrainStep(model: OsamModel, options: TrainStepOptions = {}) {
  const { weightDecay = 0.01, gradClip = 1, labelSmoothing = 0, freezePhase = false } = options;
  const decayAll = options.decayAll ?? model.options.mode === 'parity';
  const optimizer = adamw({
    betas: options.betas ?? [0.9, 0.95],
    epsilon: options.epsilon ?? 1e-8,
    weightDecay,
    groups: parameterGroups(options, decayAll),
  });
  const step = (params: OsamParams, state: AdamWState<OsamParams>, inputs: TrainInputs): TrainOutputs => {
    const { x, y, learningRate, masks, dropoutKey } = inputs;
    const { value, gradients, aux } = valueAndGradient((current: OsamParams) => {
      const result = model.forward(current, x, model.initState(current, x.shape[0]), {
        training: true,
        telemetry: options.telemetry === true,
        ...(masks && { dropout: masks.map(givenMasks) }),
        ...(dropoutKey && { dropoutKey }),
      });
      const rows = tf.reshape(result.logits, [-1, model.vocabSize]);
      const loss = crossEntropy(rows, tf.reshape(y, [-1]), {
        labelSmoothing,
        ...(options.ignoreIndex !== undefined && { ignoreIndex: options.ignoreIndex }),
      });
      return [loss, result.telemetry ?? {}] as const;
    }, params);
    const wanted = freezePhase ? withoutPhases(gradients) : gradients;
    const { gradients: clipped, norm } = clipByGlobalNorm(wanted, gradClip);
    const factor = gradClip > 0 ? tf.minimum(1, tf.div(gradClip, tf.add(norm, 1e-6))) : tf.scalar(1);
    const updated = optimizer.update(params, clipped, state, { learningRate });
    return {
      params: updated.parameters,
      optimizer: updated.state,
      loss: value,
      gradNorm: norm,
      gradNormClipped: tf.mul(norm, factor),
      telemetry: aux,
    };
  };
  return { optimizer, step };
}

function withoutPhases<G>(gradients: G): G {
  return treeMap<tf.Tensor | undefined, tf.Tensor | undefined>(gradients, (leaf, path) =>
    isPhase(path) ? undefined : leaf,
  ) as G;
}
