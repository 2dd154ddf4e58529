import { formatShape, InputError } from '@palimpsest/base';
import type { TensorSpec } from '../op.js';
import { tf } from '../tf.js';

/** The state before every token: the first one, and those after all tokens but the last. */
export function shifted(first: tf.Tensor, states: tf.Tensor): tf.Tensor {
  const [time, batch, hidden] = states.shape as [number, number, number];
  const head = tf.reshape(first, [1, batch, hidden]);
  return time === 1 ? head : tf.concat([head, tf.slice(states, [0, 0, 0], [time - 1, batch, hidden])], 0);
}

/** @throws InputError for weights that do not fit the input and the state. */
export function checkRecurrent(
  name: string,
  gates: number,
  x: TensorSpec,
  state: TensorSpec,
  weights: Readonly<Record<string, TensorSpec>>,
): void {
  const [time, batch, width] = x.shape;
  const [lanes, hidden] = state.shape;
  const expected: Record<string, readonly number[]> = {
    inputWeight: [gates * hidden!, width!],
    stateWeight: [gates * hidden!, hidden!],
  };
  const fits = x.shape.length === 3 && time! > 0 && state.shape.length === 2 && batch === lanes;
  const wrong = Object.entries(weights).find(
    ([key, { shape }]) => shape.join() !== (expected[key] ?? [gates * hidden!]).join(),
  );
  if (fits && !wrong) return;
  throw new InputError(
    `${name} takes x [time, batch, in] of at least one token, a state [batch, hidden] and weights of ${gates} · hidden rows, but got ${formatShape(x.shape)}, ${formatShape(state.shape)}${wrong ? ` and '${wrong[0]}' ${formatShape(wrong[1].shape)}` : ''}.`,
  );
}
