import type { tf } from '@palimpsest/tensor-core';
import type { OsamConfig } from '../config.js';
import type { BlockState } from '../state.js';
import type { BlockPlan } from '../tables.js';
import type { ReadSchedule } from './read-schedule.js';

/** What a run of tokens brings to the memory of a block. Complex rows hold real parts, then imaginary parts. */
export interface MemoryInput {
  /** Turned queries and keys, [batch, time, 2 d]. */
  readonly query: tf.Tensor;
  readonly key: tf.Tensor;
  /** [batch, time, d]. */
  readonly value: tf.Tensor;
  /** 1 / sqrt(position + 1), [batch, time, 1]. */
  readonly positionScale: tf.Tensor;
  /** Factor on the value read, [batch, time, 1] or [batch, time, d]. */
  readonly valueScale: tf.Tensor;
  /** W_1 of the feature read-out, [hidden, m]. */
  readonly featureWeight?: tf.Tensor | undefined;
  readonly state: BlockState;
  /** Which tokens read; absent when none does. */
  readonly schedule?: ReadSchedule | undefined;
  /** Also give the features, for inspection and parity. */
  readonly wantPsi: boolean;
  /** Also give the norm of the features. */
  readonly wantNorm: boolean;
}

/** What the reading tokens get, before any bias or non-linearity, and the memory after the run. */
export interface MemoryOutput {
  /** W_1 psi, [batch, reads, hidden]. */
  readonly feature?: tf.Tensor | undefined;
  /** psi after all scaling, [batch, reads, m]. */
  readonly psi?: tf.Tensor | undefined;
  /** Norm of psi, [batch, reads]. */
  readonly psiNorm?: tf.Tensor | undefined;
  /** Value read with its scale, [batch, reads, d]. */
  readonly raw?: tf.Tensor | undefined;
  readonly state: Pick<BlockState, 'keySum' | 'valueMemory' | 'spectrum'>;
}

/** Writes a run of tokens into the memory of a block and reads it, every token before it writes itself. */
export type MemoryReader = (input: MemoryInput, config: OsamConfig, plan: BlockPlan) => MemoryOutput;

/** Forgetting factors of the value memory, one per head. */
export function valueDecays(config: OsamConfig): readonly number[] {
  if (config.headDecays.length > 0) return config.headDecays;
  return new Array<number>(config.heads).fill(config.decay);
}
