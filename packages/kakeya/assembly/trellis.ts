// The search for the cheapest path through a trellis, in AssemblyScript: WebAssembly with 128-bit vectors. All addresses are bytes.

/**
 * The nearest level of every subset to x [components], where level j is in subset j mod 4.
 * @param tables of every component, 5 numbers each: left end of a grid, cells per unit, weight of the squared error, then four
 *   whole numbers: places of the levels (four of -Infinity before and of Infinity behind them), of the thresholds between them
 *   (Infinity behind them), of the first level that each cell of the grid can have for its nearest, and the last cell
 * @param chosen number of the nearest level, then above bit 16 for every subset whether its nearest level is above that one
 * @param errors by code bits, [components, 4] in float32: weighted squared errors less the least of the four, which every path
 *   has; subsets 0, 1, 2, 3 have code bits 0, 1, 3, 2
 * @param scratch room for 4 numbers
 */
export function nearestLevels(
  components: i32,
  x: usize,
  tables: usize,
  chosen: usize,
  errors: usize,
  scratch: usize,
): void {
  const end = x + ((<usize>components) << 3);
  for (; x < end; x += 8, tables += 40, chosen += 4, errors += 16) {
    const value = load<f64>(x);
    const weight = load<f64>(tables, 16);
    const cell = (value - load<f64>(tables)) * load<f64>(tables, 8);
    const inside = <i32>max<f64>(0, min<f64>(cell, <f64>load<i32>(tables, 36)));
    const thresholds = <usize>load<u32>(tables, 28);
    let nearest = <i32>load<u16>(<usize>load<u32>(tables, 32) + ((<usize>inside) << 1));
    while (load<f64>(thresholds + ((<usize>nearest) << 3)) <= value) nearest++;
    // The four levels up to the nearest, and the four above.
    const levels = <usize>load<u32>(tables, 24) + ((<usize>nearest + 1) << 3);
    let found = nearest;
    let least = Infinity;
    for (let j = 0; j < 4; j++) {
      const below = value - load<f64>(levels + ((<usize>j) << 3));
      const above = load<f64>(levels + ((<usize>j) << 3), 32) - value;
      const isAbove = above <= below;
      const difference = select<f64>(above, below, isAbove);
      const subset = (nearest + 1 + j) & 3;
      found |= (<i32>isAbove) << (16 + subset);
      const error = difference * difference * weight;
      least = min(least, error);
      store<f64>(scratch + ((<usize>(subset ^ (subset >> 1))) << 3), error);
    }
    for (let code: usize = 0; code < 4; code++) {
      store<f32>(errors + (code << 2), <f32>(load<f64>(scratch + (code << 3)) - least));
    }
    store<i32>(chosen, found);
  }
}

/**
 * The paths of a trellis through `components`. States t and t + half are reached from 2 t and 2 t + 1, with the error of a code
 * of two bits or of its opposite. Four neighbouring t are one vector of float32.
 * @param costs of the paths into all states, [2 half]; changes places with `next` after every component
 * @param errors weighted error of every code, [components, 4]
 * @param lanes for every four t, the bytes of a vector of errors in the order of their codes, [half / 4, 16]
 * @param from for every component and four t, a bit for each and then one for each t + half: which predecessor won,
 *   [components, half / 4] bytes
 */
export function extendPaths(
  components: i32,
  half: i32,
  costs: usize,
  next: usize,
  errors: usize,
  lanes: usize,
  from: usize,
): void {
  let before = costs;
  let after = next;
  let won = from;
  const halfBytes = (<usize>half) << 2;
  for (let i = 0; i < components; i++, errors += 16) {
    const error = v128.load(errors);
    const reversed = v128.shuffle<f32>(error, error, 3, 2, 1, 0);
    let place = before;
    let order = lanes;
    const end = after + halfBytes;
    for (let target = after; target < end; target += 16, place += 32, order += 16, won++) {
      const lane = v128.load(order);
      const same = i8x16.swizzle(error, lane);
      const opposite = i8x16.swizzle(reversed, lane);
      const first = v128.load(place);
      const second = v128.load(place, 16);
      const even = v128.shuffle<f32>(first, second, 0, 2, 4, 6);
      const odd = v128.shuffle<f32>(first, second, 1, 3, 5, 7);
      const evenLow = f32x4.add(even, same);
      const oddLow = f32x4.add(odd, opposite);
      const evenHigh = f32x4.add(even, opposite);
      const oddHigh = f32x4.add(odd, same);
      v128.store(target, f32x4.pmin(evenLow, oddLow));
      v128.store(target + halfBytes, f32x4.pmin(evenHigh, oddHigh));
      const low = i32x4.bitmask(f32x4.lt(oddLow, evenLow));
      const high = i32x4.bitmask(f32x4.lt(oddHigh, evenHigh));
      store<u8>(won, low | (high << 4));
    }
    const spare = before;
    before = after;
    after = spare;
  }
}

/**
 * Codes of the cheapest path, backwards from the cheapest state, and the levels that they stand for.
 * @param costs after the last component, [2 half]
 * @param from see {@link extendPaths}
 * @param chosen see {@link nearestLevels}
 * @param subsets of every register, [4 half] bytes
 * @param codes path bit, then the number of the level in its subset, [components] of 16 bits
 * @param x takes the levels
 */
export function traceBack(
  components: i32,
  half: i32,
  costs: usize,
  from: usize,
  chosen: usize,
  subsets: usize,
  tables: usize,
  codes: usize,
  x: usize,
): void {
  let state = 0;
  let least = load<f32>(costs);
  for (let s = 1; s < 2 * half; s++) {
    const cost = load<f32>(costs + ((<usize>s) << 2));
    if (cost < least) {
      least = cost;
      state = s;
    }
  }
  const quads = half >> 2;
  for (let i = components - 1; i >= 0; i--) {
    const isHigh = state >= half;
    const low = state & (half - 1);
    const won = <i32>load<u8>(from + <usize>(i * quads + (low >> 2)));
    const register = (state << 1) | ((won >> ((low & 3) + (isHigh ? 4 : 0))) & 1);
    const subset = <i32>load<u8>(subsets + <usize>register);
    const found = load<i32>(chosen + ((<usize>i) << 2));
    const nearest = found & 0xffff;
    const level = nearest - ((nearest - subset) & 3) + (((found >>> (16 + subset)) & 1) << 2);
    const levels = <usize>load<u32>(tables + <usize>i * 40, 24);
    store<f64>(x + ((<usize>i) << 3), load<f64>(levels + ((<usize>level + 4) << 3)));
    store<u16>(codes + ((<usize>i) << 1), ((level >> 2) << 1) | <i32>isHigh);
    state = register & (2 * half - 1);
  }
}
