// Scores of packed codes by look-ups, in AssemblyScript: WebAssembly with 128-bit vectors. All addresses are bytes.

/**
 * Code bits of 32 components of every row: sums modulo 2 of path bits at the distances back that the ones of `taps` say, first
 * code bits in the low half of a word of 64 bits, second ones in the high half.
 * @param rows path bits of the components begin `shift` bits from here, the eight before them 8 bits earlier
 * @param kept ones where the bits count; the eight before the first component do not
 */
export function codeBits(
  rows: usize,
  rowBytes: usize,
  count: i32,
  shift: i32,
  kept: u64,
  taps: i32,
  moreTaps: i32,
  words: usize,
): void {
  const end = words + ((<usize>count) << 3);
  for (; words < end; words += 8, rows += rowBytes) {
    const bits = (load<u64>(rows) >> <u64>shift) & kept;
    let first: u64 = 0;
    let second: u64 = 0;
    for (let delay = 0; delay <= 8; delay++) {
      const moved = bits >> <u64>(8 - delay);
      if ((taps >> delay) & 1) first ^= moved;
      if ((moreTaps >> delay) & 1) second ^= moved;
    }
    store<u64>(words, (first & 0xffffffff) | (second << 32));
  }
}

/**
 * sums += factor * table[bits of the row, then `codes` pairs of code bits from `place` on], rows [count] of `rowBytes`.
 * @param rows where the bits of the first row begin, but for `shift`
 */
export function addLookUps(
  rows: usize,
  rowBytes: usize,
  count: i32,
  shift: i32,
  mask: i32,
  words: usize,
  place: i32,
  codes: i32,
  table: usize,
  factor: f64,
  sums: usize,
): void {
  const end = sums + ((<usize>count) << 3);
  if (codes === 0) {
    for (; sums < end; sums += 8, rows += rowBytes) {
      const at = (<i32>load<u16>(rows) >>> shift) & mask;
      store<f64>(sums, load<f64>(sums) + factor * load<f64>(table + ((<usize>at) << 3)));
    }
    return;
  }
  const ones = (1 << codes) - 1;
  const high = <u64>(32 + place - codes);
  const more = <u64>(ones << codes);
  const left = 2 * codes;
  for (; sums < end; sums += 8, rows += rowBytes, words += 8) {
    const word = load<u64>(words);
    const open = <i32>(((word >> <u64>place) & <u64>ones) | ((word >> high) & more));
    const at = (((<i32>load<u16>(rows) >>> shift) & mask) << left) | open;
    store<f64>(sums, load<f64>(sums) + factor * load<f64>(table + ((<usize>at) << 3)));
  }
}

/** Sums of every one of the first `filled` numbers and every one of `unit` times the weight, the former's place lowest. */
export function extendTable(table: usize, filled: i32, unit: usize, count: i32, weight: f64): void {
  const bytes = (<usize>filled) << 3;
  // From the top down, as the sums that exist stand where those with the first of `unit` go.
  let target = table + bytes * <usize>(count - 1);
  for (let i = count - 1; i >= 0; i--, target -= bytes) {
    const part = weight * load<f64>(unit + ((<usize>i) << 3));
    for (let k: usize = 0; k < bytes; k += 8) store<f64>(target + k, load<f64>(table + k) + part);
  }
}

/** Number k of `source` to place order[k] of `target`. */
export function spread(target: usize, source: usize, order: usize, count: i32): void {
  const end = source + ((<usize>count) << 3);
  for (; source < end; source += 8, order += 2) {
    store<f64>(target + ((<usize>load<u16>(order)) << 3), load<f64>(source));
  }
}
