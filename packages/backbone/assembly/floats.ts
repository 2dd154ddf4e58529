// Products of rows with weights of single precision, row by row as files have them, so that the runtime multiplies with the same
// memory. Two rows that lie far apart are read side by side: two streams keep more of the processor's prefetching busy than one does
// (37 in place of 30 GB/s on a Zen 5), where neighbouring rows hinder each other.

import { laneSum } from '../../base/assembly/lanes';
import { fused } from './attention';

/** A sum of products and its bias. */
function put(y: usize, first: v128, second: v128, bias: usize): void {
  store<f32>(y, laneSum(f32x4.add(first, second)) + load<f32>(bias));
}

/** One output. */
function one(y: usize, w: usize, x: usize, bias: usize, bytes: usize): void {
  let a0 = f32x4.splat(0);
  let a1 = a0;
  for (const end = w + bytes; w < end; w += 64, x += 64) {
    a0 = fused(a0, v128.load(w), v128.load(x));
    a1 = fused(a1, v128.load(w, 16), v128.load(x, 16));
    a0 = fused(a0, v128.load(w, 32), v128.load(x, 32));
    a1 = fused(a1, v128.load(w, 48), v128.load(x, 48));
  }
  put(y, a0, a1, bias);
}

/** Two outputs, whose rows of weights are `step` bytes apart; `next` is where the other one is among outputs and biases. */
function two(y: usize, w: usize, step: usize, x: usize, bias: usize, next: usize, bytes: usize): void {
  let a0 = f32x4.splat(0);
  let a1 = a0;
  let b0 = a0;
  let b1 = a0;
  for (const end = w + bytes; w < end; w += 64, x += 64) {
    const other = w + step;
    const x0 = v128.load(x);
    const x1 = v128.load(x, 16);
    const x2 = v128.load(x, 32);
    const x3 = v128.load(x, 48);
    a0 = fused(a0, v128.load(w), x0);
    a1 = fused(a1, v128.load(w, 16), x1);
    a0 = fused(a0, v128.load(w, 32), x2);
    a1 = fused(a1, v128.load(w, 48), x3);
    b0 = fused(b0, v128.load(other), x0);
    b1 = fused(b1, v128.load(other, 16), x1);
    b0 = fused(b0, v128.load(other, 32), x2);
    b1 = fused(b1, v128.load(other, 48), x3);
  }
  put(y, a0, a1, bias);
  put(y + next, b0, b1, bias + next);
}

/** The same two outputs of two tokens, `row` bytes apart among inputs and `stride` among outputs, which share the weights. */
function four(
  y: usize,
  stride: usize,
  w: usize,
  step: usize,
  x: usize,
  row: usize,
  bias: usize,
  next: usize,
  bytes: usize,
): void {
  let a0 = f32x4.splat(0);
  let a1 = a0;
  let b0 = a0;
  let b1 = a0;
  let c0 = a0;
  let c1 = a0;
  let d0 = a0;
  let d1 = a0;
  for (const end = w + bytes; w < end; w += 32, x += 32) {
    const other = w + step;
    const u = x + row;
    const x0 = v128.load(x);
    const x1 = v128.load(x, 16);
    const u0 = v128.load(u);
    const u1 = v128.load(u, 16);
    const w0 = v128.load(w);
    a0 = fused(a0, w0, x0);
    c0 = fused(c0, w0, u0);
    const w1 = v128.load(w, 16);
    a1 = fused(a1, w1, x1);
    c1 = fused(c1, w1, u1);
    const v0 = v128.load(other);
    b0 = fused(b0, v0, x0);
    d0 = fused(d0, v0, u0);
    const v1 = v128.load(other, 16);
    b1 = fused(b1, v1, x1);
    d1 = fused(d1, v1, u1);
  }
  put(y, a0, a1, bias);
  put(y + next, b0, b1, bias + next);
  put(y + stride, c0, c1, bias);
  put(y + stride + next, d0, d1, bias + next);
}

/**
 * Some outputs y = W x + bias of several x. Every sum is made in the same order, whoever makes it.
 * @param y `[tokens, outputs]`, whose rows are `stride` bytes apart
 * @param x `[tokens, inputs]`
 * @param bytes of a row of weights, a multiple of 64
 */
export function multiplyFloats(
  y: usize,
  w: usize,
  x: usize,
  bias: usize,
  from: i32,
  to: i32,
  bytes: usize,
  tokens: i32,
  stride: usize,
): void {
  const half = (to - from) >> 1;
  const next = (<usize>half) << 2;
  const step = bytes * half;
  y += (<usize>from) << 2;
  bias += (<usize>from) << 2;
  w += bytes * from;
  for (const end = w + step; w < end; w += bytes, y += 4, bias += 4) {
    let target = y;
    let source = x;
    let left = tokens;
    for (; left >= 2; left -= 2, target += 2 * stride, source += 2 * bytes) {
      four(target, stride, w, step, source, bytes, bias, next, bytes);
    }
    if (left > 0) two(target, w, step, source, bias, next, bytes);
  }
  if (((to - from) & 1) === 0) return;
  for (; tokens > 0; tokens--, y += stride, x += bytes) one(y + next, w + step, x, bias + next, bytes);
}
