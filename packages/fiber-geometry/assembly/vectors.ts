// Rows of float32 and how near they lie, in AssemblyScript: WebAssembly with 128-bit vectors. All addresses are bytes.

/** Sum of products of two rows of `bytes`, a multiple of 4: sixteen sums side by side while there are that many numbers. */
export function dot(a: usize, b: usize, bytes: usize): f32 {
  let s0 = f32x4.splat(0);
  let s1 = f32x4.splat(0);
  let s2 = f32x4.splat(0);
  let s3 = f32x4.splat(0);
  const end = a + bytes;
  for (const whole = a + (bytes & ~63); a < whole; a += 64, b += 64) {
    s0 = f32x4.add(s0, f32x4.mul(v128.load(a), v128.load(b)));
    s1 = f32x4.add(s1, f32x4.mul(v128.load(a, 16), v128.load(b, 16)));
    s2 = f32x4.add(s2, f32x4.mul(v128.load(a, 32), v128.load(b, 32)));
    s3 = f32x4.add(s3, f32x4.mul(v128.load(a, 48), v128.load(b, 48)));
  }
  for (const whole = end - 12; a < whole; a += 16, b += 16) {
    s0 = f32x4.add(s0, f32x4.mul(v128.load(a), v128.load(b)));
  }
  s0 = f32x4.add(f32x4.add(s0, s1), f32x4.add(s2, s3));
  s0 = f32x4.add(s0, v128.shuffle<f32>(s0, s0, 2, 3, 0, 1));
  let sum = f32x4.extract_lane(s0, 0) + f32x4.extract_lane(s0, 1);
  for (; a < end; a += 4, b += 4) sum += load<f32>(a) * load<f32>(b);
  return sum;
}

/**
 * Writes the numbers of those of `count` rows, one behind the other, whose product with the query is at least `threshold`.
 * Four rows are looked at together, each by four sums.
 * @param out room for `count` numbers of 32 bits
 * @returns how many there are
 */
export function scan(rows: usize, count: i32, bytes: usize, query: usize, threshold: f32, out: usize): i32 {
  let at = out;
  let row = 0;
  if ((bytes & 15) === 0) {
    const least = f32x4.splat(threshold);
    for (; row + 4 <= count; row += 4, rows += 4 * bytes) {
      const second = rows + bytes;
      const third = second + bytes;
      const four = Four.products(rows, second, third, third + bytes, bytes, query);
      const near = i32x4.bitmask(f32x4.ge(four, least));
      if (near === 0) continue;
      for (let lane = 0; lane < 4; lane++) {
        if (!(near & (1 << lane))) continue;
        store<i32>(at, row + lane);
        at += 4;
      }
    }
  }
  for (; row < count; row++, rows += bytes) {
    if (dot(rows, query, bytes) < threshold) continue;
    store<i32>(at, row);
    at += 4;
  }
  return <i32>((at - out) >> 2);
}

// biome-ignore lint/complexity/noStaticOnlyClass: only a method can be marked as one to inline; a call costs as much as the sums of 16 numbers.
export class Four {
  /** Products of four rows with the query; `bytes` of a row are a multiple of 16. */
  @inline
  static products(
    first: usize,
    second: usize,
    third: usize,
    fourth: usize,
    bytes: usize,
    query: usize,
  ): v128 {
    let s0 = f32x4.splat(0);
    let s1 = f32x4.splat(0);
    let s2 = f32x4.splat(0);
    let s3 = f32x4.splat(0);
    const end = first + bytes;
    // Addresses that are counted up once per 32 bytes: V8 adds up others anew for every load.
    for (const whole = first + (bytes & ~31); first < whole; ) {
      const q = v128.load(query);
      s0 = f32x4.add(s0, f32x4.mul(q, v128.load(first)));
      s1 = f32x4.add(s1, f32x4.mul(q, v128.load(second)));
      s2 = f32x4.add(s2, f32x4.mul(q, v128.load(third)));
      s3 = f32x4.add(s3, f32x4.mul(q, v128.load(fourth)));
      const next = v128.load(query, 16);
      s0 = f32x4.add(s0, f32x4.mul(next, v128.load(first, 16)));
      s1 = f32x4.add(s1, f32x4.mul(next, v128.load(second, 16)));
      s2 = f32x4.add(s2, f32x4.mul(next, v128.load(third, 16)));
      s3 = f32x4.add(s3, f32x4.mul(next, v128.load(fourth, 16)));
      first += 32;
      second += 32;
      third += 32;
      fourth += 32;
      query += 32;
    }
    if (first < end) {
      const q = v128.load(query);
      s0 = f32x4.add(s0, f32x4.mul(q, v128.load(first)));
      s1 = f32x4.add(s1, f32x4.mul(q, v128.load(second)));
      s2 = f32x4.add(s2, f32x4.mul(q, v128.load(third)));
      s3 = f32x4.add(s3, f32x4.mul(q, v128.load(fourth)));
    }
    // Four rows of four sums, turned: then one addition serves all rows.
    const a = v128.shuffle<f32>(s0, s1, 0, 4, 1, 5);
    const b = v128.shuffle<f32>(s0, s1, 2, 6, 3, 7);
    const c = v128.shuffle<f32>(s2, s3, 0, 4, 1, 5);
    const e = v128.shuffle<f32>(s2, s3, 2, 6, 3, 7);
    const left = f32x4.add(a, b);
    const right = f32x4.add(c, e);
    return f32x4.add(v128.shuffle<f32>(left, right, 0, 1, 4, 5), v128.shuffle<f32>(left, right, 2, 3, 6, 7));
  }
}
