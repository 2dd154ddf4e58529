// Matrix products in float64 and the panels that they take, in AssemblyScript: WebAssembly with 128-bit vectors. All addresses are bytes.

/**
 * C += A Bᵀ for panels in which four rows are interleaved, A [rows / 4, depth, 4] and B [columns / 4, depth, 4], and C row-major
 * with `stride` numbers per row. Every entry is summed from the first to the last product, as a plain loop would.
 */
export function multiplyAdd(
  c: usize,
  a: usize,
  b: usize,
  rows: i32,
  columns: i32,
  depth: i32,
  stride: i32,
): void {
  const rowBytes = (<usize>stride) << 3;
  const panelBytes = (<usize>depth) << 5;
  for (let i = 0; i < rows; i += 4) {
    const left = a + <usize>(i >> 2) * panelBytes;
    const end = left + panelBytes;
    let right = b;
    let target = c + <usize>i * rowBytes;
    for (let j = 0; j < columns; j += 4, target += 32) {
      const second = target + rowBytes;
      const third = second + rowBytes;
      const fourth = third + rowBytes;
      let s00 = v128.load(target);
      let s01 = v128.load(target, 16);
      let s10 = v128.load(second);
      let s11 = v128.load(second, 16);
      let s20 = v128.load(third);
      let s21 = v128.load(third, 16);
      let s30 = v128.load(fourth);
      let s31 = v128.load(fourth, 16);
      for (let at = left; at < end; at += 32, right += 32) {
        const b0 = v128.load(right);
        const b1 = v128.load(right, 16);
        const a0 = v128.load64_splat(at);
        s00 = f64x2.add(s00, f64x2.mul(a0, b0));
        s01 = f64x2.add(s01, f64x2.mul(a0, b1));
        const a1 = v128.load64_splat(at, 8);
        s10 = f64x2.add(s10, f64x2.mul(a1, b0));
        s11 = f64x2.add(s11, f64x2.mul(a1, b1));
        const a2 = v128.load64_splat(at, 16);
        s20 = f64x2.add(s20, f64x2.mul(a2, b0));
        s21 = f64x2.add(s21, f64x2.mul(a2, b1));
        const a3 = v128.load64_splat(at, 24);
        s30 = f64x2.add(s30, f64x2.mul(a3, b0));
        s31 = f64x2.add(s31, f64x2.mul(a3, b1));
      }
      v128.store(target, s00);
      v128.store(target, s01, 16);
      v128.store(second, s10);
      v128.store(second, s11, 16);
      v128.store(third, s20);
      v128.store(third, s21, 16);
      v128.store(fourth, s30);
      v128.store(fourth, s31, 16);
    }
  }
}

/**
 * Rows [4 n, cols] divided by the scale, less the mean, as panels of four interleaved rows; neighbouring rows are
 * `stride` numbers apart.
 * @param energies of every row two sums of squares before the mean is taken, of numbers at even and at odd places; added to
 * @param spreads the same after it
 */
export function centrePanels(
  rows: usize,
  scale: usize,
  mean: usize,
  count: i32,
  cols: i32,
  stride: i32,
  panels: usize,
  energies: usize,
  spreads: usize,
): void {
  const rowBytes = (<usize>stride) << 3;
  const bytes = (<usize>(cols & ~1)) << 3;
  for (let i = 0; i < count; i += 4, rows += 4 * rowBytes, energies += 64, spreads += 64) {
    let e0 = v128.load(energies);
    let e1 = v128.load(energies, 16);
    let e2 = v128.load(energies, 32);
    let e3 = v128.load(energies, 48);
    let s0 = v128.load(spreads);
    let s1 = v128.load(spreads, 16);
    let s2 = v128.load(spreads, 32);
    let s3 = v128.load(spreads, 48);
    for (let j: usize = 0; j < bytes; j += 16, panels += 64) {
      const factor = v128.load(scale + j);
      const middle = v128.load(mean + j);
      const at = rows + j;
      let x0 = f64x2.div(v128.load(at), factor);
      let x1 = f64x2.div(v128.load(at + rowBytes), factor);
      let x2 = f64x2.div(v128.load(at + 2 * rowBytes), factor);
      let x3 = f64x2.div(v128.load(at + 3 * rowBytes), factor);
      e0 = f64x2.add(e0, f64x2.mul(x0, x0));
      e1 = f64x2.add(e1, f64x2.mul(x1, x1));
      e2 = f64x2.add(e2, f64x2.mul(x2, x2));
      e3 = f64x2.add(e3, f64x2.mul(x3, x3));
      x0 = f64x2.sub(x0, middle);
      x1 = f64x2.sub(x1, middle);
      x2 = f64x2.sub(x2, middle);
      x3 = f64x2.sub(x3, middle);
      s0 = f64x2.add(s0, f64x2.mul(x0, x0));
      s1 = f64x2.add(s1, f64x2.mul(x1, x1));
      s2 = f64x2.add(s2, f64x2.mul(x2, x2));
      s3 = f64x2.add(s3, f64x2.mul(x3, x3));
      v128.store(panels, v128.shuffle<f64>(x0, x1, 0, 2));
      v128.store(panels, v128.shuffle<f64>(x2, x3, 0, 2), 16);
      v128.store(panels, v128.shuffle<f64>(x0, x1, 1, 3), 32);
      v128.store(panels, v128.shuffle<f64>(x2, x3, 1, 3), 48);
    }
    v128.store(energies, e0);
    v128.store(energies, e1, 16);
    v128.store(energies, e2, 32);
    v128.store(energies, e3, 48);
    v128.store(spreads, s0);
    v128.store(spreads, s1, 16);
    v128.store(spreads, s2, 32);
    v128.store(spreads, s3, 48);
    if (cols & 1) {
      const factor = load<f64>(scale + bytes);
      const middle = load<f64>(mean + bytes);
      for (let k: usize = 0; k < 4; k++, panels += 8) {
        const x = load<f64>(rows + k * rowBytes + bytes) / factor;
        const rest = x - middle;
        const sum = k << 4;
        store<f64>(energies + sum, load<f64>(energies + sum) + x * x);
        store<f64>(spreads + sum, load<f64>(spreads + sum) + rest * rest);
        store<f64>(panels, rest);
      }
    }
  }
}
