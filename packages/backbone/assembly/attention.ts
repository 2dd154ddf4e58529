// Attention of queries that share keys and values: piece by piece for all of them, as long as it is in the processor's nearest cache,
// and two at a time, so that both use what is loaded. Widths are multiples of 4.

import { exponential, laneSum, laneSums, lanesMax } from '../../base/assembly/lanes';

/** Keys that all queries meet before the next ones are loaded. */
const PIECE: i32 = 64;

/** sum + a b, rounded once where the processor can. */
export function fused(sum: v128, a: v128, b: v128): v128 {
  return f32x4.relaxed_madd(a, b, sum);
}

/** Scores of one query before they are scaled, four keys at a time, so that their sums do not wait for each other. */
function scoreOne(query: usize, keys: usize, scores: usize, count: i32, bytes: usize): void {
  for (; count >= 4; count -= 4, keys += 4 * bytes, scores += 16) {
    let s0 = f32x4.splat(0);
    let s1 = s0;
    let s2 = s0;
    let s3 = s0;
    for (let i: usize = 0, key = keys; i < bytes; i += 16, key += 16) {
      const q = v128.load(query + i);
      s0 = fused(s0, q, v128.load(key));
      s1 = fused(s1, q, v128.load(key + bytes));
      s2 = fused(s2, q, v128.load(key + 2 * bytes));
      s3 = fused(s3, q, v128.load(key + 3 * bytes));
    }
    v128.store(scores, laneSums(s0, s1, s2, s3));
  }
  for (; count > 0; count--, keys += bytes, scores += 4) {
    let sum = f32x4.splat(0);
    for (let i: usize = 0; i < bytes; i += 16) {
      sum = fused(sum, v128.load(query + i), v128.load(keys + i));
    }
    store<f32>(scores, laneSum(sum));
  }
}

/** The same of two queries, one behind the other, whose scores are `room` bytes apart. */
function scoreTwo(query: usize, keys: usize, scores: usize, room: usize, count: i32, bytes: usize): void {
  for (; count >= 4; count -= 4, keys += 4 * bytes, scores += 16) {
    let s0 = f32x4.splat(0);
    let s1 = s0;
    let s2 = s0;
    let s3 = s0;
    let t0 = s0;
    let t1 = s0;
    let t2 = s0;
    let t3 = s0;
    for (let i: usize = 0, key = keys; i < bytes; i += 16, key += 16) {
      const q = v128.load(query + i);
      const p = v128.load(query + bytes + i);
      const k0 = v128.load(key);
      s0 = fused(s0, q, k0);
      t0 = fused(t0, p, k0);
      const k1 = v128.load(key + bytes);
      s1 = fused(s1, q, k1);
      t1 = fused(t1, p, k1);
      const k2 = v128.load(key + 2 * bytes);
      s2 = fused(s2, q, k2);
      t2 = fused(t2, p, k2);
      const k3 = v128.load(key + 3 * bytes);
      s3 = fused(s3, q, k3);
      t3 = fused(t3, p, k3);
    }
    v128.store(scores, laneSums(s0, s1, s2, s3));
    v128.store(scores + room, laneSums(t0, t1, t2, t3));
  }
  scoreOne(query, keys, scores, count, bytes);
  scoreOne(query + bytes, keys, scores + room, count, bytes);
}

/** e^((score - highest) scale) in place, up to three numbers behind the last one too. @returns 1 / their sum */
function softmax(scores: usize, count: i32, scale: f32): f32 {
  const end = scores + ((<usize>count) << 2);
  const whole = scores + ((<usize>(count & ~3)) << 2);
  let highest = v128.load32_splat(scores);
  for (let at = scores; at < whole; at += 16) highest = f32x4.pmax(v128.load(at), highest);
  for (let at = whole; at < end; at += 4) highest = f32x4.pmax(v128.load32_splat(at), highest);
  const top = lanesMax(highest);
  const factor = f32x4.splat(scale);
  let sums = f32x4.splat(0);
  for (let at = scores; at < end; at += 16) {
    const power = exponential(f32x4.mul(f32x4.sub(v128.load(at), top), factor));
    v128.store(at, power);
    if (at < whole) sums = f32x4.add(sums, power);
  }
  let total = laneSum(sums);
  for (let at = whole; at < end; at += 4) total += load<f32>(at);
  return <f32>1 / total;
}

/** y += Σ weights values, sixteen columns at a time. */
function sumOne(y: usize, weights: usize, values: usize, count: i32, bytes: usize): void {
  const end = weights + ((<usize>count) << 2);
  let i: usize = 0;
  for (; i + 64 <= bytes; i += 64) {
    const to = y + i;
    let s0 = v128.load(to);
    let s1 = v128.load(to, 16);
    let s2 = v128.load(to, 32);
    let s3 = v128.load(to, 48);
    for (let at = weights, value = values + i; at < end; at += 4, value += bytes) {
      const w = v128.load32_splat(at);
      s0 = fused(s0, w, v128.load(value));
      s1 = fused(s1, w, v128.load(value, 16));
      s2 = fused(s2, w, v128.load(value, 32));
      s3 = fused(s3, w, v128.load(value, 48));
    }
    v128.store(to, s0);
    v128.store(to, s1, 16);
    v128.store(to, s2, 32);
    v128.store(to, s3, 48);
  }
  for (; i < bytes; i += 16) {
    let sum = v128.load(y + i);
    for (let at = weights, value = values + i; at < end; at += 4, value += bytes) {
      sum = fused(sum, v128.load32_splat(at), v128.load(value));
    }
    v128.store(y + i, sum);
  }
}

/** The same for two rows of weights, `room` bytes apart, and of y, one behind the other. */
function sumTwo(y: usize, weights: usize, room: usize, values: usize, count: i32, bytes: usize): void {
  const end = weights + ((<usize>count) << 2);
  let i: usize = 0;
  for (; i + 64 <= bytes; i += 64) {
    const first = y + i;
    const second = first + bytes;
    let s0 = v128.load(first);
    let s1 = v128.load(first, 16);
    let s2 = v128.load(first, 32);
    let s3 = v128.load(first, 48);
    let t0 = v128.load(second);
    let t1 = v128.load(second, 16);
    let t2 = v128.load(second, 32);
    let t3 = v128.load(second, 48);
    for (let at = weights, value = values + i; at < end; at += 4, value += bytes) {
      const w = v128.load32_splat(at);
      const u = v128.load32_splat(at + room);
      const v0 = v128.load(value);
      s0 = fused(s0, w, v0);
      t0 = fused(t0, u, v0);
      const v1 = v128.load(value, 16);
      s1 = fused(s1, w, v1);
      t1 = fused(t1, u, v1);
      const v2 = v128.load(value, 32);
      s2 = fused(s2, w, v2);
      t2 = fused(t2, u, v2);
      const v3 = v128.load(value, 48);
      s3 = fused(s3, w, v3);
      t3 = fused(t3, u, v3);
    }
    v128.store(first, s0);
    v128.store(first, s1, 16);
    v128.store(first, s2, 32);
    v128.store(first, s3, 48);
    v128.store(second, t0);
    v128.store(second, t1, 16);
    v128.store(second, t2, 32);
    v128.store(second, t3, 48);
  }
  for (; i < bytes; i += 16) {
    let s = v128.load(y + i);
    let t = v128.load(y + bytes + i);
    for (let at = weights, value = values + i; at < end; at += 4, value += bytes) {
      s = fused(s, v128.load32_splat(at), v128.load(value));
      t = fused(t, v128.load32_splat(at + room), v128.load(value));
    }
    v128.store(y + i, s);
    v128.store(y + bytes + i, t);
  }
}

/**
 * y = softmax(q Kᵀ scale) V of queries, one behind the other, over `count` rows of keys and values.
 * @param scores scratch, `room` bytes for each query, which hold count + 4 numbers
 */
export function attendQueries(
  y: usize,
  query: usize,
  queries: i32,
  keys: usize,
  values: usize,
  scores: usize,
  room: usize,
  count: i32,
  bytes: usize,
  scale: f32,
): void {
  const all = bytes * queries;
  const ends = scores + room * queries;
  for (let from = 0; from < count; from += PIECE, keys += bytes * PIECE) {
    const some = min(PIECE, count - from);
    let row = scores + ((<usize>from) << 2);
    let q = query;
    let left = queries;
    for (; left >= 2; left -= 2, row += 2 * room, q += 2 * bytes) {
      scoreTwo(q, keys, row, room, some, bytes);
    }
    if (left > 0) scoreOne(q, keys, row, some, bytes);
  }
  // What a query's sum is multiplied with stands at the end of its row.
  for (let row = scores; row < ends; row += room) store<f32>(row + room - 4, softmax(row, count, scale));
  memory.fill(y, 0, all);
  for (let from = 0; from < count; from += PIECE, values += bytes * PIECE) {
    const some = min(PIECE, count - from);
    let row = scores + ((<usize>from) << 2);
    let to = y;
    let left = queries;
    for (; left >= 2; left -= 2, row += 2 * room, to += 2 * bytes) {
      sumTwo(to, row, room, values, some, bytes);
    }
    if (left > 0) sumOne(to, row, values, some, bytes);
  }
  for (let row = scores; row < ends; row += room) {
    const factor = v128.load32_splat(row + room - 4);
    for (const end = y + bytes; y < end; y += 16) v128.store(y, f32x4.mul(v128.load(y), factor));
  }
}
