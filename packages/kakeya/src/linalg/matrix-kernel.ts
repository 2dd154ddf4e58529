import { type WasmMemory, wasmKernels } from '@palimpsest/base';
import { kernelsModule } from '../kernels-wasm.js';
import type { FloatArray, Matrix } from './matrix.js';

/** What assembly/kernels.ts exports; places are byte addresses in `memory`. */
export interface Kernels {
  readonly memory: WasmMemory;
  multiplyAdd(
    c: number,
    a: number,
    b: number,
    rows: number,
    columns: number,
    depth: number,
    stride: number,
  ): void;
  centrePanels(
    rows: number,
    scale: number,
    mean: number,
    count: number,
    cols: number,
    stride: number,
    panels: number,
    energies: number,
    spreads: number,
  ): void;
  multiplyRows(y: number, a: number, v: number, rows: number, count: number, stride: number): void;
  subtractBoth(a: number, v: number, w: number, rows: number, count: number, stride: number): void;
  reflectRows(a: number, v: number, beta: number, rows: number, count: number, stride: number): void;
  nearestLevels(
    components: number,
    x: number,
    tables: number,
    chosen: number,
    errors: number,
    scratch: number,
  ): void;
  extendPaths(
    components: number,
    half: number,
    costs: number,
    next: number,
    errors: number,
    lanes: number,
    from: number,
  ): void;
  traceBack(
    components: number,
    half: number,
    costs: number,
    from: number,
    chosen: number,
    subsets: number,
    tables: number,
    codes: number,
    x: number,
  ): void;
  codeBits(
    rows: number,
    rowBytes: number,
    count: number,
    shift: number,
    kept: bigint,
    taps: number,
    moreTaps: number,
    words: number,
  ): void;
  addLookUps(
    rows: number,
    rowBytes: number,
    count: number,
    shift: number,
    mask: number,
    words: number,
    place: number,
    codes: number,
    table: number,
    factor: number,
    sums: number,
  ): void;
  extendTable(table: number, filled: number, unit: number, count: number, weight: number): void;
  spread(target: number, source: number, order: number, count: number): void;
  rotateRows(x: number, y: number, count: number, cosine: number, sine: number): void;
}

/** Numbers of the kernels' memory below this are left to the compiler's runtime. */
export const KERNEL_START = 128;

const PAGE = 65_536;
let loaded: Kernels | undefined | null = null;

/** The kernels with their one memory, or undefined where WebAssembly or its 128-bit vectors are missing. */
export function matrixKernels(): Kernels | undefined {
  if (loaded !== null) return loaded;
  loaded = wasmKernels<Kernels>(kernelsModule)?.();
  return loaded;
}

/** The kernels' memory as numbers, with room for `count` of them; what it held before may be gone. */
export function kernelNumbers({ memory }: Kernels, count: number): Float64Array {
  const missing = 8 * count - memory.buffer.byteLength;
  if (missing > 0) memory.grow(Math.ceil(missing / PAGE));
  return new Float64Array(memory.buffer);
}

/** Products per pass over the depth, so that a panel of the right side stays near the processor. */
export const DEPTH = 256;
/** Rows of the left side per pass. */
const ROWS = 128;
export const align = (count: number) => Math.ceil(count / 4) * 4;

/** Puts rows [count] of `at(row, k)`, k from `from` to `to`, four interleaved, missing ones 0. */
export function pack(
  target: Float64Array,
  offset: number,
  count: number,
  [from, to]: readonly [number, number],
  data: FloatArray,
  first: number,
  rowStep: number,
  depthStep: number,
): void {
  const depth = to - from;
  const whole = count - (count % 4);
  let at = offset;
  for (let row = 0; row < whole; row += 4) {
    let source = (first + row) * rowStep + from * depthStep;
    for (let k = 0; k < depth; k++, at += 4, source += depthStep) {
      target[at] = data[source]!;
      target[at + 1] = data[source + rowStep]!;
      target[at + 2] = data[source + 2 * rowStep]!;
      target[at + 3] = data[source + 3 * rowStep]!;
    }
  }
  if (whole === count) return;
  target.fill(0, at, at + 4 * depth);
  for (let row = whole; row < count; row++) {
    const source = (first + row) * rowStep + from * depthStep;
    for (let k = 0; k < depth; k++) target[at + 4 * k + row - whole] = data[source + k * depthStep]!;
  }
}

/** One side of a product: `count` rows of `depth` numbers, in either order of storage. */
export interface Side {
  readonly data: FloatArray;
  readonly count: number;
  readonly depth: number;
  /** Distance of neighbouring rows, and of neighbouring numbers of a row, in `data`. */
  readonly rowStep: number;
  readonly depthStep: number;
}

export const rowsOf = ({ data, rows, cols }: Matrix): Side => ({
  data,
  count: rows,
  depth: cols,
  rowStep: cols,
  depthStep: 1,
});

export const columnsOf = ({ data, rows, cols }: Matrix): Side => ({
  data,
  count: cols,
  depth: rows,
  rowStep: 1,
  depthStep: cols,
});

/**
 * A Bᵀ, [a.count, b.count] row-major, summed in order.
 * @param symmetric a and b are the same: entries above the diagonal's block are copied from below it
 */
export function kernelProduct(kernels: Kernels, a: Side, b: Side, symmetric = false): Float64Array {
  const result = new Float64Array(a.count * b.count);
  const columns = align(b.count);
  const depth = Math.min(DEPTH, a.depth);
  const [leftAt, rightAt] = [ROWS * columns, ROWS * columns + ROWS * depth];
  const start = KERNEL_START;
  const numbers = kernelNumbers(kernels, start + rightAt + columns * depth);
  const address = (place: number) => 8 * (start + place);
  for (let from = 0; from < a.depth; from += DEPTH) {
    const span = [from, Math.min(from + DEPTH, a.depth)] as const;
    const used = span[1] - from;
    pack(numbers, start + rightAt, b.count, span, b.data, 0, b.rowStep, b.depthStep);
    for (let row = 0; row < a.count; row += ROWS) {
      const height = Math.min(ROWS, a.count - row);
      const width = symmetric ? align(Math.min(row + height, b.count)) : columns;
      pack(numbers, start + leftAt, height, span, a.data, row, a.rowStep, a.depthStep);
      loadBlock(numbers, start, columns, result, row, height, b.count, from === 0);
      kernels.multiplyAdd(address(0), address(leftAt), address(rightAt), align(height), width, used, columns);
      storeBlock(numbers, start, columns, result, row, height, b.count);
    }
  }
  if (symmetric) mirror(result, a.count);
  return result;
}

/** The sums so far of a block of rows. */
function loadBlock(
  numbers: Float64Array,
  start: number,
  stride: number,
  result: Float64Array,
  row: number,
  height: number,
  width: number,
  isFirst: boolean,
): void {
  numbers.fill(0, start, start + align(height) * stride);
  if (isFirst) return;
  for (let i = 0; i < height; i++) {
    numbers.set(result.subarray((row + i) * width, (row + i + 1) * width), start + i * stride);
  }
}

/** Puts the sums of a block of rows into the result. */
function storeBlock(
  numbers: Float64Array,
  start: number,
  stride: number,
  result: Float64Array,
  row: number,
  height: number,
  width: number,
): void {
  if (stride === width) {
    result.set(numbers.subarray(start, start + height * width), row * width);
    return;
  }
  for (let i = 0; i < height; i++) {
    result.set(numbers.subarray(start + i * stride, start + i * stride + width), (row + i) * width);
  }
}

function mirror(result: Float64Array, n: number): void {
  for (let i = 0; i < n; i++) for (let j = 0; j < i; j++) result[j * n + i] = result[i * n + j]!;
}
