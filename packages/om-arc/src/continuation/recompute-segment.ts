import { MASKED, tf } from '@palimpsest/tensor-core';
import { runCell } from '../cell.js';
import { embedIds } from '../embedding.js';
import { finishLayer, updateState } from '../layer.js';
import { splitLayers } from '../layer-stack.js';
import type { RowGroup } from '../memory/regions.js';
import type { OmParams } from '../parameters.js';
import { contextIds } from '../plan.js';
import type { Setup } from '../setup.js';
import type { OmState } from './state.js';

const int = (value: number) => tf.scalar(value, 'int32');
const counting = (count: number) => tf.range(0, count, 1, 'int32');

/**
 * One token, by computing the open segment anew with it as the last: for contextual positions of the reference, where every
 * row depends on how many follow it.
 * @param token int32 [batch]
 * @returns output of the last layer at the token, `[batch, 1, d·m]`
 */
export function recomputeWith(
  setup: Setup,
  params: OmParams,
  token: tf.Tensor,
  state: OmState,
): { output: tf.Tensor; state: OmState } {
  const { config } = setup;
  const N = config.segmentLen;
  const g = contextIds(config);
  const batch = token.shape[0]!;
  const slot = tf.add(tf.expandDims(state.position, 1), int(g));
  const isHere = tf.equal(tf.expandDims(counting(g + N), 0), slot);
  const ids = tf.where(isHere, tf.expandDims(token, 1), state.ids);
  const frame = segmentFrame(setup, state.position);
  let x = tf.expandDims(embedIds(config, params, ids), 0);
  const left: tf.Tensor[] = [];
  for (const [layer, stack] of splitLayers(params).entries()) {
    const memory = tf.reshape(tf.slice(state.states, [0, layer, 0, 0], [-1, 1, -1, -1]), [
      1,
      batch,
      config.stateLen,
      -1,
    ]);
    const groups: RowGroup[] = [
      { region: 'read', rows: memory },
      { region: 'token', rows: x },
      { region: 'write', rows: memory },
    ];
    const places = [{ layer, segment: 0 }];
    const { output, written } = runCell(setup, stack.params, groups, { ...frame, places });
    x = finishLayer(setup, stack.params, stack.part, x, output!, places);
    left.push(updateState(setup, stack.params, memory, written!));
  }
  const width = x.shape[3]!;
  const isToken = tf.cast(
    tf.equal(tf.expandDims(counting(N), 0), tf.expandDims(state.position, 1)),
    'float32',
  );
  const output = tf.sum(tf.mul(tf.reshape(x, [batch, N, width]), tf.expandDims(isToken, 2)), 1, true);
  return { output, state: afterToken(setup, state, ids, tf.concat(left, 0)) };
}

/** @param left states that the segment leaves if it is full now, `[L, batch, S, d]` */
function afterToken({ config }: Setup, state: OmState, ids: tf.Tensor, left: tf.Tensor): OmState {
  const N = config.segmentLen;
  const g = contextIds(config);
  const batch = state.position.shape[0]!;
  const end = tf.add(state.position, int(1));
  const isFull = tf.greaterEqual(end, int(N));
  const choose = (yes: tf.Tensor, no: tf.Tensor) =>
    tf.where(tf.reshape(isFull, [batch, ...new Array<number>(no.rank - 1).fill(1)]), yes, no);
  // Behind a border the last g ids become the context of the next segment; its own slots are overwritten one by one.
  const moved =
    g === 0 ? ids : tf.concat([tf.slice(ids, [0, N], [-1, g]), tf.slice(ids, [0, g], [-1, N])], 1);
  return {
    position: tf.where(isFull, tf.zerosLike(end), end),
    states: choose(tf.transpose(left, [1, 0, 2, 3]), state.states),
    ids: choose(moved, ids),
  };
}

/** The layout with room for a whole segment, of which the first `position + 1` tokens are there, and the write rows after them. */
function segmentFrame({ config }: Setup, position: tf.Tensor) {
  const { segmentLen: N, stateLen: S, cope, ropeVariant } = config;
  const [batch] = position.shape as [number];
  const rows = N + 2 * S;
  const tokens = tf.add(tf.expandDims(position, 1), int(1));
  const row = tf.expandDims(counting(rows), 0);
  const isWrite = tf.greaterEqual(row, int(S + N));
  const written = tf.sub(row, int(N));
  const reversed = tf.sub(int(3 * S - 1), written);
  const writeRow = tf.add(ropeVariant === 'rotateHalf' ? reversed : written, tokens);
  const isThere = tf.logicalOr(isWrite, tf.less(row, tf.add(tokens, int(S))));
  const there = tf.tile(tf.expandDims(tf.cast(isThere, 'float32'), 1), [1, rows, 1]);
  const order = counting(rows);
  const notLater = tf.cast(tf.lessEqual(tf.expandDims(order, 0), tf.expandDims(order, 1)), 'float32');
  const seen = tf.mul(there, tf.reshape(notLater, [1, rows, rows]));
  return {
    rows: tf.where(tf.tile(isWrite, [batch, 1]), writeRow, tf.tile(row, [batch, 1])),
    mask: tf.mul(tf.sub(1, seen), MASKED),
    counted: cope ? there : undefined,
  };
}
