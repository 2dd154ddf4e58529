import { InputError, MASKED, tf } from '@palimpsest/tensor-core';
import type { TransformerConfig } from './config.js';
import { hostMask, planAtSlot, reachMask, type SlotPlan } from './slot-plan.js';

/** Where the new rows of a call go. */
export type Placement = 'window' | 'extend' | 'behind';

/** @throws InputError when a cache cannot take rows that way. */
export function checkPlacement(config: TransformerConfig, placement: Placement, time: number): void {
  if (placement === 'window') return;
  if (!config.evictable || config.sinks > 0 || config.window > 0) {
    throw new InputError(
      `The placement '${placement}' is for evictable caches without window and sinks; give the transformer evictable: true.`,
    );
  }
  if (placement === 'behind' && time !== 1) {
    throw new InputError(
      `The placement 'behind' takes one row at a time, but ${time} were given; use 'extend'.`,
    );
  }
}

/**
 * The plan for rows that keep a cache in order of age.
 * @param fresh int32 `[batch, time]`: positions of the new rows, −1 for padding
 * @param before positions in the cache, `[batch, keyValueHeads, slots]`, or nothing when it is known to be empty
 * @param reach newest tokens that a query sees, its own included; all that are cached when it is infinite
 */
export function planInOrder(
  placement: Placement,
  fresh: tf.Tensor,
  before: tf.Tensor | undefined,
  heads: number,
  reach = Number.POSITIVE_INFINITY,
): SlotPlan {
  if (placement === 'behind' && before) {
    // An empty slot counts as older than any entry, so that the newest one has the largest position.
    const behind = tf.add(tf.argMax(before, 2), tf.scalar(1, 'int32'));
    return planAtSlot(tf.cast(behind, 'int32'), fresh, before, reach);
  }
  const [batch, time] = fresh.shape as [number, number];
  const slots = before?.shape[2] ?? 0;
  const rows = tf.broadcastTo(tf.reshape(fresh, [batch, 1, time]), [batch, heads, time]);
  const positions = before ? tf.concat([before, rows], 2) : rows;
  const isEmpty = tf.less(positions, tf.scalar(0, 'int32'));
  const blocked = tf.mul(tf.reshape(tf.cast(isEmpty, 'float32'), [batch, heads, 1, slots + time]), MASKED);
  const order = hostMask(time, slots + time, (query, column) => column <= slots + query);
  const near = reachMask(fresh, positions, reach);
  const ordered = time === 1 ? blocked : tf.minimum(blocked, order);
  return {
    mask: near ? tf.minimum(ordered, near) : ordered,
    positions,
    append: (cached, added) => {
      const visible = before ? tf.concat([cached, added], 2) : added;
      return { visible, next: visible };
    },
  };
}
