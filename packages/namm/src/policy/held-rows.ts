import { tf } from '@palimpsest/tensor-core';
import { padTokens } from '../features/attention-rows.js';
import type { CachePolicy, Piece, PolicyState } from './policy.js';

/** Adds the rows of a piece to those held, of which only the newest stay. */
function hold(state: PolicyState | undefined, { rows }: Piece, most: number): tf.Tensor {
  const [batch, heads, , tokens] = rows!.shape as [number, number, number, number];
  const before = state?.tokens.rows;
  const all = before ? tf.concat([padTokens(before, tokens), rows!], 2) : rows!;
  const count = all.shape[2]!;
  return count <= most ? all : tf.slice(all, [0, 0, count - most, 0], [batch, heads, most, tokens]);
}

/**
 * A policy that looks at the newest rows of an update, as one that gathers them piece by piece. Others stay as they are.
 */
export function withHeldRows(policy: CachePolicy): CachePolicy {
  const { needs, score } = policy;
  if (needs.rows === 'all' || needs.rows === 0 || !score) return policy;
  const most = needs.rows;
  return {
    ...policy,
    observe: (state, piece) => ({ tokens: { rows: hold(state, piece, most) } }),
    score: (view) => score({ ...view, rows: view.state!.tokens.rows! }),
    // Rows of an interval that is over have no say in the next.
    afterUpdate: () => ({ tokens: {} }),
  };
}
