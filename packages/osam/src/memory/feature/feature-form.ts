import type { tf } from '@palimpsest/tensor-core';
import type { BlockPlan } from '../../tables.js';

/** What every form of the feature path works on: N rows, one per token that reads the memory. */
export interface FeatureInput {
  /** Compact query sketches Q', [N, 2 uQuery]: real parts, then imaginary parts. */
  readonly query: tf.Tensor;
  /** Compact sums of the earlier keys, [N, 2 uKey]. */
  readonly prefix: tf.Tensor;
  /** Unitary spectra of those sums over all m buckets, [N, m, 2], when the state carries them (freqCache). */
  readonly spectrum?: tf.Tensor | undefined;
  /** W_1 of the read-out, [hidden, m]. */
  readonly weight: tf.Tensor;
  /** Give `energy` with a gradient, without one, or leave it out. */
  readonly energy: 'differentiable' | 'reported' | 'none';
  /** Give `psi`, for inspection; it has no gradient. */
  readonly wantPsi: boolean;
}

/** Products of the bare convolution `Re(Q * K)`; the caller applies 1 / (sqrt(m) sqrt(t + 1)). */
export interface FeatureOutput {
  /** W_1 Re(Q * K), [N, hidden]. */
  readonly projected: tf.Tensor;
  /** Sum of squares over the buckets, [N]. */
  readonly energy?: tf.Tensor | undefined;
  /** Re(Q * K), [N, m]. */
  readonly psi?: tf.Tensor | undefined;
}

export type FeatureForm = (input: FeatureInput, plan: BlockPlan) => FeatureOutput;
