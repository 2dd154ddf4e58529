import { InputError, type NDArray, treeLeaves, treeMap, zeros } from '@palimpsest/base';
import { tf } from '../tf.js';
import type { AnyOptimizer, ParameterGroup } from './adamw.js';
import { oneMinusPower } from './bias-correction.js';

export interface ScheduleFreeOptions {
  /** Share β₁ of the average in the weights that gradients are taken at, and decay β₂ of squared gradients. Default [0.9, 0.999]. */
  readonly betas?: readonly [number, number];
  /** Added to the root of the second moment. Default 1e-8. */
  readonly epsilon?: number;
  /** Weight decay, which joins the normalised gradient. Default 0. */
  readonly weightDecay?: number;
  readonly groups?: readonly ParameterGroup[];
}

interface State {
  readonly step: tf.Tensor;
  /** Highest rate so far, and sum of its squares: the weight of every step in the average. */
  readonly highestRate: tf.Tensor;
  readonly weightSum: tf.Tensor;
  /** z, where plain steps go. */
  readonly base: unknown;
  readonly second: unknown;
}

/** How the rate of a step follows from the given one, and when gradients are normalised. */
interface Warmth {
  /** γ of step k; scalars. */
  rate(learningRate: tf.Tensor, step: tf.Tensor): tf.Tensor;
  /** 1 where gradients are divided by the root of the second moment, 0 where they are taken as they are. Absent: always. */
  normalised?(step: tf.Tensor): tf.Tensor;
}

/**
 * Schedule-free AdamW (Defazio et al. 2024): no decaying learning rate, since the weights to use are an average over the
 * steps. With a linear warm-up the given rate is that of the step.
 *
 * v ← β₂v + (1−β₂)g²; ĝ = g / (√(v/(1−β₂ᵏ)) + ε) + decay·y; c = w / Σw with w = (highest γ)²;
 * y ← y + c(z − y) + γ(β₁(1−c) − 1)ĝ; z ← z − γĝ. To evaluate: x = y + (1 − 1/β₁)(z − y).
 * @throws InputError for betas outside their ranges or a negative epsilon.
 */
export function scheduleFreeAdamW(options: ScheduleFreeOptions = {}): AnyOptimizer {
  return scheduleFree(options, { rate: (learningRate) => learningRate });
}

/**
 * Schedule-free RAdam: the rate is multiplied by the rectification of Liu et al. 2020, which makes a warm-up needless. While
 * the rectification is undefined (the first four steps at β₂ = 0.95) the weights stay as they are.
 * @throws InputError for betas outside their ranges or a negative epsilon.
 */
export function scheduleFreeRAdam(options: ScheduleFreeOptions = {}): AnyOptimizer {
  const [, beta2] = options.betas ?? DEFAULT_BETAS;
  const table = rectifications(beta2);
  const at = (values: Float32Array<ArrayBuffer>, step: tf.Tensor) => {
    const index = tf.cast(tf.minimum(tf.sub(step, 1), table.length - 1), 'int32');
    return tf.reshape(tf.gather(tf.tensor1d(values), tf.reshape(index, [1])), []);
  };
  return scheduleFree(options, {
    rate: (learningRate, step) => tf.mul(learningRate, at(table, step)),
    normalised: (step) => at(table.map(Math.sign) as Float32Array<ArrayBuffer>, step),
  });
}

const DEFAULT_BETAS = [0.9, 0.999] as const;

/** Below this, βᵏ no longer changes the rectification in float32. */
const NEGLIGIBLE = 1e-12;

/** r of the steps 1, 2, ... in float64, 0 where it is undefined; the last value holds from there on. */
function rectifications(beta2: number): Float32Array<ArrayBuffer> {
  const length = beta2 === 0 ? 1 : Math.max(8, Math.ceil(Math.log(NEGLIGIBLE) / Math.log(beta2)));
  return Float32Array.from({ length }, (_, index) => rectification(index + 1, beta2));
}

/** Factor r of RAdam on the rate of a step, counted from 1; 0 where it is undefined (Liu et al. 2020, equation 5). */
export function rectification(step: number, beta2: number): number {
  const last = 2 / (1 - beta2) - 1;
  const power = beta2 ** step;
  const rho = last - (2 * step * power) / (1 - power);
  if (rho <= 4) return 0;
  return Math.sqrt(((rho - 4) * (rho - 2) * last) / ((last - 4) * (last - 2) * rho));
}

function scheduleFree(options: ScheduleFreeOptions, warmth: Warmth): AnyOptimizer {
  const { betas = DEFAULT_BETAS, epsilon = 1e-8, weightDecay = 0, groups = [] } = options;
  const [beta1, beta2] = betas;
  if (!(beta1 > 0 && beta1 < 1 && beta2 >= 0 && beta2 < 1 && epsilon >= 0)) {
    throw new InputError(
      `A schedule-free optimiser needs a first beta in (0, 1), a second in [0, 1) and an epsilon of 0 or more, but got ${betas.join(' and ')}, and ${epsilon}.`,
    );
  }
  return {
    init: (parameters) => ({
      step: zeros([]),
      highestRate: zeros([]),
      weightSum: zeros([]),
      base: treeMap<NDArray, NDArray>(
        parameters,
        (leaf) => ({ ...leaf, data: leaf.data.slice() }) as NDArray,
      ),
      second: treeMap<NDArray, NDArray>(parameters, (leaf) => zeros(leaf.shape)),
    }),
    update: (parameters, gradients, given, { learningRate }) => {
      const state = given as State;
      const step = tf.add(state.step, 1);
      const rate = warmth.rate(learningRate, step);
      const highestRate = tf.maximum(state.highestRate, rate);
      const weight = tf.square(highestRate);
      const weightSum = tf.add(state.weightSum, weight);
      const share = tf.div(weight, tf.maximum(weightSum, 1e-38));
      const gradientOf = leavesOf(gradients);
      const [baseOf, secondOf] = [leavesOf(state.base), leavesOf(state.second)];
      const correction = oneMinusPower(beta2, step);
      const normalised = warmth.normalised?.(step);
      // How far y goes along ĝ, beside its way to z.
      const pull = tf.mul(rate, tf.sub(tf.mul(beta1, tf.sub(1, share)), 1));
      const results = new Map<string, { y: tf.Tensor; z: tf.Tensor; v: tf.Tensor }>();
      for (const { path, leaf: y } of treeLeaves<tf.Tensor>(parameters)) {
        const g = gradientOf.get(path);
        if (!g) continue;
        const z = baseOf.get(path)!;
        const v = tf.add(tf.mul(secondOf.get(path)!, beta2), tf.mul(tf.square(g), 1 - beta2));
        const scaled = tf.div(g, tf.add(tf.sqrt(tf.div(v, correction)), epsilon));
        const direction = normalised ? tf.add(g, tf.mul(normalised, tf.sub(scaled, g))) : scaled;
        const group = groups.find(({ match }) => match(path));
        const decay = group?.weightDecay ?? weightDecay;
        const multiplier = group?.rateMultiplier ?? 1;
        const full = decay === 0 ? direction : tf.add(direction, tf.mul(y, decay));
        const move = multiplier === 1 ? full : tf.mul(full, multiplier);
        results.set(path, {
          y: tf.add(tf.add(y, tf.mul(share, tf.sub(z, y))), tf.mul(pull, move)),
          z: tf.sub(z, tf.mul(rate, move)),
          v,
        });
      }
      const pick = (tree: unknown, key: 'y' | 'z' | 'v') =>
        treeMap<tf.Tensor, tf.Tensor>(tree, (leaf, path) => results.get(path)?.[key] ?? leaf);
      return {
        parameters: pick(parameters, 'y'),
        state: { step, highestRate, weightSum, base: pick(state.base, 'z'), second: pick(state.second, 'v') },
      };
    },
    evaluationParameters: (parameters, given) => {
      const baseOf = leavesOf((given as State).base);
      return treeMap<tf.Tensor, tf.Tensor>(parameters, (y, path) =>
        tf.add(y, tf.mul(1 - 1 / beta1, tf.sub(baseOf.get(path)!, y))),
      );
    },
  };
}

function leavesOf(tree: unknown): Map<string, tf.Tensor> {
  return new Map(treeLeaves<tf.Tensor>(tree).map(({ path, leaf }) => [path, leaf]));
}
