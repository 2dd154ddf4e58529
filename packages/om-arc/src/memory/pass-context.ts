import type { tf } from '@palimpsest/tensor-core';
import type { Place } from '../dropout.js';
import type { PassParams } from '../parameters.js';
import type { PassPlan } from '../plan.js';
import type { RowNumbers } from '../rotary.js';
import type { Setup } from '../setup.js';
import type { Keys } from './keys.js';
import type { RowGroup } from './regions.js';

/** Where the new rows stand and what they may see. */
export interface Frame {
  /** Layers at work, along the first axis of everything. */
  readonly places: readonly Place[];
  /** Places of the new rows in the layout. */
  readonly rows: RowNumbers;
  /** Additive, `[rows, keys]` or `[batch, rows, keys]`. */
  readonly mask: tf.Tensor;
  /** Keys whose gates count in contextual positions, as `mask` of 0 and 1. Absent: all. */
  readonly counted?: tf.Tensor | undefined;
}

/** What one pass works with. */
export interface PassContext {
  readonly setup: Setup;
  readonly plan: PassPlan;
  readonly params: PassParams;
  readonly groups: readonly RowGroup[];
  readonly frame: Frame;
  /** Leading rows whose output nobody reads. */
  readonly unread: number;
}

/** What one pass gives. */
export interface PassResult {
  /** `[l·H, batch, rows, width]`; absent where nobody reads it. */
  readonly output?: tf.Tensor;
  /** Of every attention of the pass. */
  readonly keys: readonly Keys[];
}
