import { causalMask, tf } from '@palimpsest/tensor-core';
import { runCell } from './cell.js';
import type { Place } from './dropout.js';
import { finishLayer, type MlpPart, updateState } from './layer.js';
import type { Frame } from './memory/pass-context.js';
import type { Region, RowGroup } from './memory/regions.js';
import type { LayerParams } from './parameters.js';
import { isCausal } from './plan.js';
import type { RowNumbers } from './rotary.js';
import type { Setup } from './setup.js';

/** Layers to run: parameters stacked along the first axis, and where each of them is at work. */
export interface ActiveLayers {
  readonly params: LayerParams;
  readonly part: MlpPart;
  readonly places: readonly Place[];
}

/** Numbers of the rows [read | tokens | write]; the readme edition turns the write rows in reversed order. */
export function layoutRows(setup: Setup, tokens: number, from: Region, to: Region): RowNumbers {
  const { stateLen: S, ropeVariant } = setup.config;
  const first = from === 'read' ? 0 : from === 'token' ? S : S + tokens;
  const end = to === 'read' ? S : to === 'token' ? S + tokens : 2 * S + tokens;
  if (to !== 'write' || ropeVariant !== 'rotateHalf') return { first, count: end - first };
  const numbers = Array.from({ length: end - first }, (_, i) => {
    const row = first + i;
    return row < S + tokens ? row : 2 * S + 2 * tokens + S - 1 - row;
  });
  return tf.tensor1d(numbers, 'int32');
}

/** The causal triangle over all rows of a layout, and, for causal contextual positions, which gates count. */
export function layoutMask(setup: Setup, rows: number, keys: number): Pick<Frame, 'mask' | 'counted'> {
  const mask = causalMask(rows, keys);
  if (!setup.config.cope || !isCausal(setup.config)) return { mask };
  return { mask, counted: tf.cast(tf.equal(mask, 0), 'float32') };
}

/**
 * One segment through layers side by side, in one attention per pass over [read | tokens | write].
 * @param x `[l, batch, tokens, d]`
 * @param state `[l, batch, S, d]`
 * @returns the layers' outputs and the states that the segment leaves, of the same shapes
 */
export function runSegment(
  setup: Setup,
  layers: ActiveLayers,
  x: tf.Tensor,
  state: tf.Tensor,
): { x: tf.Tensor; state: tf.Tensor } {
  const { params, part, places } = layers;
  const tokens = x.shape[2]!;
  const length = tokens + 2 * setup.config.stateLen;
  const groups: RowGroup[] = [
    { region: 'read', rows: state },
    { region: 'token', rows: x },
    { region: 'write', rows: state },
  ];
  const frame: Frame = {
    places,
    rows: layoutRows(setup, tokens, 'read', 'write'),
    ...layoutMask(setup, length, length),
  };
  const { output, written } = runCell(setup, params, groups, frame);
  return {
    x: finishLayer(setup, params, part, x, output!, places),
    state: updateState(setup, params, state, written!),
  };
}

/**
 * The same with the write rows apart from the others, which do not see them: whoever does not use the state pays nothing for
 * it in a compiled function, and whoever does not use the output pays for neither the last pass's tokens nor the MLP.
 * For models whose tokens see nothing that follows them.
 */
export function runSegmentApart(
  setup: Setup,
  layers: ActiveLayers,
  x: tf.Tensor,
  state: tf.Tensor,
): { x: tf.Tensor; state: tf.Tensor } {
  if (!isCausal(setup.config)) return runSegment(setup, layers, x, state);
  const { params, part, places } = layers;
  const S = setup.config.stateLen;
  const tokens = x.shape[2]!;
  const opening: RowGroup[] = [
    { region: 'read', rows: state },
    { region: 'token', rows: x },
  ];
  const first = runCell(setup, params, opening, {
    places,
    rows: layoutRows(setup, tokens, 'read', 'token'),
    ...layoutMask(setup, S + tokens, S + tokens),
  });
  const second = runCell(
    setup,
    params,
    [{ region: 'write', rows: state }],
    {
      places,
      rows: layoutRows(setup, tokens, 'write', 'write'),
      ...layoutMask(setup, S, 2 * S + tokens),
    },
    first.keys,
  );
  return {
    x: finishLayer(setup, params, part, x, first.output!, places),
    state: updateState(setup, params, state, second.written!),
  };
}
