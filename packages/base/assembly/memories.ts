// One token through memories that gates rewrite, or that are sums of products of keys and values. Widths are multiples of 4.

import { exponential, laneSum } from './lanes';

/** 1 / (1 + e^-x) of four numbers. */
function sigmoid(x: v128): v128 {
  const one = f32x4.splat(1);
  return f32x4.div(one, f32x4.add(one, exponential(f32x4.pmin(f32x4.neg(x), f32x4.splat(88)))));
}

/** tanh of four numbers, within 2e-7. */
function tanh(x: v128): v128 {
  const twice = sigmoid(f32x4.add(x, x));
  return f32x4.sub(f32x4.add(twice, twice), f32x4.splat(1));
}

/** sum += branch, and y = gain sum / sqrt(mean(sum²) + epsilon). */
export function addRootNormalised(
  y: usize,
  sum: usize,
  branch: usize,
  gain: usize,
  width: i32,
  epsilon: f32,
): void {
  const bytes = (<usize>width) << 2;
  let squares = f32x4.splat(0);
  for (let i: usize = 0; i < bytes; i += 16) {
    const value = f32x4.add(v128.load(sum + i), v128.load(branch + i));
    v128.store(sum + i, value);
    squares = f32x4.add(squares, f32x4.mul(value, value));
  }
  const inverse = f32x4.splat(<f32>1 / sqrt<f32>(laneSum(squares) / <f32>width + epsilon));
  for (let i: usize = 0; i < bytes; i += 16) {
    v128.store(y + i, f32x4.mul(f32x4.mul(v128.load(sum + i), inverse), v128.load(gain + i)));
  }
}

/** y = gate σ(gate) value. */
export function swiGlu(y: usize, gate: usize, value: usize, count: i32): void {
  for (let i: usize = 0; i < (<usize>count) << 2; i += 16) {
    const x = v128.load(gate + i);
    v128.store(y + i, f32x4.mul(f32x4.mul(x, sigmoid(x)), v128.load(value + i)));
  }
}

/** x + 1 where x is positive, e^x elsewhere, in place. */
export function positive(x: usize, count: i32): void {
  const zero = f32x4.splat(0);
  for (let i: usize = 0; i < (<usize>count) << 2; i += 16) {
    const value = v128.load(x + i);
    const power = exponential(f32x4.pmin(value, zero));
    const raised = f32x4.add(value, f32x4.splat(1));
    v128.store(x + i, v128.bitselect(raised, power, f32x4.gt(value, zero)));
  }
}

/**
 * A gated recurrent unit's state in place: h = n + z (h - n), z = σ(i_z + s_z), n = tanh(i_n + σ(i_r + s_r) s_n). Maps of the
 * input and of the state are [3, width]: update z, reset r, candidate n.
 */
export function gruState(h: usize, input: usize, state: usize, width: i32): void {
  const bytes = (<usize>width) << 2;
  for (let i: usize = 0; i < bytes; i += 16) {
    const update = sigmoid(f32x4.add(v128.load(input + i), v128.load(state + i)));
    const reset = sigmoid(f32x4.add(v128.load(input + bytes + i), v128.load(state + bytes + i)));
    const recalled = f32x4.mul(reset, v128.load(state + 2 * bytes + i));
    const candidate = tanh(f32x4.add(v128.load(input + 2 * bytes + i), recalled));
    const before = v128.load(h + i);
    v128.store(h + i, f32x4.add(candidate, f32x4.mul(update, f32x4.sub(before, candidate))));
  }
}

/**
 * A long short-term memory's state and cell in place: c = f c + i g, h = o tanh(c). Maps of the input and of the state are
 * [4, width]: input i, output o, forget f, candidate g.
 */
export function lstmState(h: usize, cell: usize, input: usize, state: usize, width: i32): void {
  const bytes = (<usize>width) << 2;
  for (let i: usize = 0; i < bytes; i += 16) {
    const taken = sigmoid(f32x4.add(v128.load(input + i), v128.load(state + i)));
    const shown = sigmoid(f32x4.add(v128.load(input + bytes + i), v128.load(state + bytes + i)));
    const kept = sigmoid(f32x4.add(v128.load(input + 2 * bytes + i), v128.load(state + 2 * bytes + i)));
    const candidate = tanh(f32x4.add(v128.load(input + 3 * bytes + i), v128.load(state + 3 * bytes + i)));
    const next = f32x4.add(f32x4.mul(kept, v128.load(cell + i)), f32x4.mul(taken, candidate));
    v128.store(cell + i, next);
    v128.store(h + i, f32x4.mul(shown, tanh(next)));
  }
}

/** Adds a factor times a row to another; the last up to three numbers one by one. */
function addRow(y: usize, x: usize, factor: f32, bytes: usize): void {
  const four = f32x4.splat(factor);
  let i: usize = 0;
  for (; i + 16 <= bytes; i += 16) {
    v128.store(y + i, f32x4.add(v128.load(y + i), f32x4.mul(four, v128.load(x + i))));
  }
  for (; i < bytes; i += 4) store<f32>(y + i, load<f32>(y + i) + factor * load<f32>(x + i));
}

/** y += queryᵀ sums. sums is [keyWidth, valueWidth], of any width of values. */
export function recall(y: usize, sums: usize, query: usize, keyWidth: i32, valueWidth: i32): void {
  const bytes = (<usize>valueWidth) << 2;
  for (let row = 0; row < keyWidth; row++, sums += bytes, query += 4) {
    addRow(y, sums, load<f32>(query), bytes);
  }
}

/** sums = fade sums + key valueᵀ. sums is [keyWidth, valueWidth], of any width of values. */
export function remember(
  sums: usize,
  key: usize,
  value: usize,
  keyWidth: i32,
  valueWidth: i32,
  fade: f32,
): void {
  const bytes = (<usize>valueWidth) << 2;
  const kept = f32x4.splat(fade);
  for (let row = 0; row < keyWidth; row++, sums += bytes, key += 4) {
    const factor = load<f32>(key);
    const four = f32x4.splat(factor);
    let i: usize = 0;
    for (; i + 16 <= bytes; i += 16) {
      const before = f32x4.mul(kept, v128.load(sums + i));
      v128.store(sums + i, f32x4.add(before, f32x4.mul(four, v128.load(value + i))));
    }
    for (; i < bytes; i += 4) {
      store<f32>(sums + i, fade * load<f32>(sums + i) + factor * load<f32>(value + i));
    }
  }
}
