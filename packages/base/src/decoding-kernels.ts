import { EngineError } from './errors.js';
import { kernelsModule } from './kernels-wasm.js';
import { type WasmMemory, wasmKernels } from './wasm-kernels.js';

/** Where numbers lie in the kernels' memory, as an index of its float32 view. */
export type Place = number;

interface Exports {
  readonly memory: WasmMemory;
  multiply(y: number, w: number, x: number, bias: number, rows: number, columns: number, relu: boolean): void;
  addNormalised(y: number, sum: number, branch: number, gain: number, bias: number, width: number): void;
  attend(
    y: number,
    query: number,
    keys: number,
    values: number,
    scores: number,
    count: number,
    keyWidth: number,
    valueWidth: number,
    scale: number,
  ): void;
  gelu(x: number, count: number): void;
  pool(
    sum: number,
    peak: number,
    total: number,
    queries: number,
    source: number,
    slots: number,
    width: number,
  ): void;
}

const PAGE = 65_536;
const bytes = (place: Place) => 4 * place;
const align = (count: number) => Math.ceil(count / 4) * 4;

/** Gives new instances; `undefined` where WebAssembly or its 128-bit vectors are missing. */
const kernels = wasmKernels<Exports>(kernelsModule);

/** Whether this machine can run the kernels of decoding. */
export const hasDecodingKernels = (): boolean => kernels !== undefined;

/**
 * The inner loops of decoding on the processor, with a memory of their own that grows with what is allocated. Rows and widths
 * are multiples of 4. Places are indices into one float32 view of all of it.
 */
export class DecodingKernels {
  readonly #exports: Exports;
  #numbers: Float32Array;
  #next: Place;

  /** @throws EngineError where `hasDecodingKernels` is false. */
  constructor() {
    if (!kernels) throw new EngineError('WebAssembly with 128-bit vectors is missing.');
    this.#exports = kernels();
    const { memory } = this.#exports;
    this.#numbers = new Float32Array(memory.buffer);
    this.#next = this.#numbers.length;
  }

  /** All of the memory, until the next allocation. */
  get numbers(): Float32Array {
    return this.#numbers;
  }

  /** Room for numbers, 0 at first. */
  allocate(count: number): Place {
    const place = this.#next;
    this.#next += align(count);
    const { memory } = this.#exports;
    const missing = bytes(this.#next) - memory.buffer.byteLength;
    if (missing > 0) {
      memory.grow(Math.ceil(missing / PAGE));
      this.#numbers = new Float32Array(memory.buffer);
    }
    return place;
  }

  /** A copy of numbers. */
  store(values: ArrayLike<number>): Place {
    const place = this.allocate(values.length);
    this.numbers.set(values, place);
    return place;
  }

  /** A matrix [rows, columns] in the layout that `multiply` reads; missing rows of the last four are 0. */
  storeMatrix(values: ArrayLike<number>, rows: number, columns: number): Place {
    const place = this.allocate(align(rows) * columns);
    const { numbers } = this;
    for (let row = 0; row < rows; row++) {
      const block = place + (row - (row % 4)) * columns + 4 * (row % 4);
      for (let column = 0; column < columns; column++) {
        const within = 4 * (column - (column % 4)) + (column % 4);
        numbers[block + within] = values[row * columns + column]!;
      }
    }
    return place;
  }

  /** The numbers at a place, as they are now and will be until the next allocation. */
  view(place: Place, count: number): Float32Array {
    return this.numbers.subarray(place, place + count);
  }

  /** y = W x + bias, with negative ones cut off if `relu`. */
  multiply(y: Place, w: Place, x: Place, bias: Place, rows: number, columns: number, relu = false): void {
    this.#exports.multiply(bytes(y), bytes(w), bytes(x), bytes(bias), align(rows), columns, relu);
  }

  /** sum += branch; y = its layer normalisation. */
  addNormalised(y: Place, sum: Place, branch: Place, gain: Place, bias: Place, width: number): void {
    this.#exports.addNormalised(bytes(y), bytes(sum), bytes(branch), bytes(gain), bytes(bias), width);
  }

  /** y = softmax(query keysᵀ scale) values over the first `count` rows; `scores` has room for count + 3. */
  attend(
    y: Place,
    query: Place,
    keys: Place,
    values: Place,
    scores: Place,
    count: number,
    keyWidth: number,
    valueWidth: number,
    scale: number,
  ): void {
    this.#exports.attend(
      bytes(y),
      bytes(query),
      bytes(keys),
      bytes(values),
      bytes(scores),
      count,
      keyWidth,
      valueWidth,
      Math.fround(scale),
    );
  }

  /** Exact gelu in place, within 1.5e-7. */
  gelu(x: Place, count: number): void {
    this.#exports.gelu(bytes(x), align(count));
  }

  /** One more token in the online softmax of every slot: sum and queries [slots, width], peak and total [slots]. */
  pool(
    { sum, peak, total }: Readonly<Record<'sum' | 'peak' | 'total', Place>>,
    queries: Place,
    source: Place,
    slots: number,
    width: number,
  ): void {
    this.#exports.pool(bytes(sum), bytes(peak), bytes(total), bytes(queries), bytes(source), slots, width);
  }
}
