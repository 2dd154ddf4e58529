import { InputError, type MapLeaves, type NDArray, treeLeaves, treeMap, zeros } from '@palimpsest/base';
import { tf } from '../tf.js';
import { oneMinusPower } from './bias-correction.js';

/** Settings for the parameters whose path a group matches; the first matching group counts. */
export interface ParameterGroup {
  /** @param path path of the parameter in its tree, such as `blocks.0.gate` */
  readonly match: (path: string) => boolean;
  /** Factor on the learning rate. Default 1. */
  readonly rateMultiplier?: number;
  /** Weight decay instead of the optimiser's. */
  readonly weightDecay?: number;
}

export interface AdamWOptions {
  /** Decay of the running mean of gradients and of squared gradients. Default [0.9, 0.999]. */
  readonly betas?: readonly [number, number];
  /** Added to the root of the second moment. Default 1e-8. */
  readonly epsilon?: number;
  /** Decoupled weight decay, times the learning rate. Default 0.01. */
  readonly weightDecay?: number;
  readonly groups?: readonly ParameterGroup[];
}

/** Moments in the structure of the parameters, and the number of steps taken (a scalar). */
export interface AdamWState<P> {
  readonly step: tf.Tensor;
  readonly first: P;
  readonly second: P;
}

/** An optimiser as pure functions, for use inside compiled functions. */
export interface Optimizer<P = unknown> {
  /** The state before the first step, on the host. */
  init<H>(parameters: H): { step: NDArray; first: H; second: H };
  /**
   * One step. Parameters whose gradient is `undefined` stay as they are, bit for bit.
   * @param learningRate scalar tensor, so that a schedule needs no new graph
   */
  update<Q extends P>(
    parameters: Q,
    gradients: MapLeaves<Q, tf.Tensor, tf.Tensor | undefined>,
    state: AdamWState<Q>,
    settings: { learningRate: tf.Tensor },
  ): { parameters: Q; state: AdamWState<Q> };
}

/** Any optimiser, where the types of parameters and states are not known. */
export interface AnyOptimizer {
  /** The state before the first step, on the host, from parameters on the host. */
  init(parameters: unknown): unknown;
  update(
    parameters: unknown,
    gradients: unknown,
    state: unknown,
    settings: { learningRate: tf.Tensor },
  ): { parameters: unknown; state: unknown };
  /**
   * The weights to evaluate, save and generate with, where they are others than those at which gradients are taken.
   */
  evaluationParameters?(parameters: unknown, state: unknown): unknown;
}

interface StepScalars {
  /** lr / (1 − β₁ᵗ) · √(1 − β₂ᵗ) */
  readonly rate: tf.Tensor;
  /** epsilon · √(1 − β₂ᵗ) */
  readonly epsilon: tf.Tensor;
}

/**
 * AdamW (Loshchilov & Hutter 2019) in PyTorch's order: p ← p (1 − lr·decay); m ← β₁m + (1−β₁)g; v ← β₂v + (1−β₂)g²;
 * p ← p − lr/(1−β₁ᵗ) · m / (√v/√(1−β₂ᵗ) + epsilon). The bias corrections are folded into two scalars per step, which
 * leaves thirteen elementwise ops per parameter, twelve without decay.
 * @throws InputError for betas outside [0, 1) or a negative epsilon.
 */
export function adamw(options: AdamWOptions = {}): Optimizer {
  const { betas = [0.9, 0.999], epsilon = 1e-8, weightDecay = 0.01, groups = [] } = options;
  const [beta1, beta2] = betas;
  if (!betas.every((beta) => beta >= 0 && beta < 1) || !(epsilon >= 0)) {
    throw new InputError(
      `AdamW needs betas in [0, 1) and an epsilon of 0 or more, but got ${betas.join(' and ')}, and ${epsilon}.`,
    );
  }

  const advance = (
    p: tf.Tensor,
    g: tf.Tensor,
    m: tf.Tensor,
    v: tf.Tensor,
    decay: tf.Tensor | undefined,
    s: StepScalars,
  ) => {
    const first = tf.add(tf.mul(m, beta1), tf.mul(g, 1 - beta1));
    const second = tf.add(tf.mul(v, beta2), tf.mul(tf.square(g), 1 - beta2));
    const shift = tf.div(tf.mul(first, s.rate), tf.add(tf.sqrt(second), s.epsilon));
    return { parameter: tf.sub(decay ? tf.mul(p, decay) : p, shift), first, second };
  };

  return {
    init: (parameters) => {
      const zero = () =>
        treeMap<NDArray, NDArray>(parameters, (leaf) => zeros(leaf.shape)) as typeof parameters;
      return { step: zeros([]), first: zero(), second: zero() };
    },
    update: (parameters, gradients, state, { learningRate }) => {
      const step = tf.add(state.step, 1);
      const secondCorrection = tf.sqrt(oneMinusPower(beta2, step));
      const epsilonScalar = tf.mul(secondCorrection, epsilon);
      const rate = tf.div(tf.mul(learningRate, secondCorrection), oneMinusPower(beta1, step));
      const gradientOf = recordOf<tf.Tensor | undefined>(gradients);
      const firstOf = recordOf<tf.Tensor>(state.first);
      const secondOf = recordOf<tf.Tensor>(state.second);
      const results = new Map<string, ReturnType<typeof advance>>();
      for (const { path, leaf } of treeLeaves<tf.Tensor>(parameters)) {
        const gradient = gradientOf.get(path);
        if (!gradient) continue;
        const group = groups.find(({ match }) => match(path));
        const multiplier = group?.rateMultiplier ?? 1;
        const decay = (group?.weightDecay ?? weightDecay) * multiplier;
        results.set(
          path,
          advance(
            leaf,
            gradient,
            firstOf.get(path)!,
            secondOf.get(path)!,
            decay === 0 ? undefined : tf.sub(1, tf.mul(learningRate, decay)),
            { rate: multiplier === 1 ? rate : tf.mul(rate, multiplier), epsilon: epsilonScalar },
          ),
        );
      }
      const pick = <T>(tree: T, key: 'parameter' | 'first' | 'second') =>
        treeMap<tf.Tensor, tf.Tensor>(tree, (leaf, path) => results.get(path)?.[key] ?? leaf) as T;
      return {
        parameters: pick(parameters, 'parameter'),
        state: { step, first: pick(state.first, 'first'), second: pick(state.second, 'second') },
      };
    },
  };
}

function recordOf<Leaf>(tree: unknown): Map<string, Leaf> {
  return new Map(treeLeaves<Leaf>(tree).map(({ path, leaf }) => [path, leaf]));
}
