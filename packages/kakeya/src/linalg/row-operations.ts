import { KERNEL_START, kernelNumbers, matrixKernels } from './matrix-kernel.js';

/** Float64 numbers and the operations on their rows that an eigendecomposition is made of; places are indices. */
export interface RowOperations {
  readonly numbers: Float64Array;
  /** y = A v for `rows` rows of `count` numbers, `stride` apart. */
  multiply(y: number, a: number, v: number, rows: number, count: number, stride: number): void;
  /** A -= v wᵀ + w vᵀ. */
  subtractBoth(a: number, v: number, w: number, rows: number, count: number, stride: number): void;
  /** A -= beta (A v) vᵀ. */
  reflect(a: number, v: number, beta: number, rows: number, count: number, stride: number): void;
  /** (x, y) <- (c x - s y, s x + c y). */
  rotate(x: number, y: number, count: number, cosine: number, sine: number): void;
}

/** Room for `size` numbers, in the kernels' memory where there are kernels. The room is the caller's until the next call. */
export function rowOperations(size: number): RowOperations {
  const kernels = matrixKernels();
  if (!kernels) return plainRowOperations(size);
  const numbers = kernelNumbers(kernels, KERNEL_START + size).subarray(KERNEL_START, KERNEL_START + size);
  numbers.fill(0);
  const at = (place: number) => 8 * (KERNEL_START + place);
  return {
    numbers,
    multiply: (y, a, v, rows, count, stride) =>
      kernels.multiplyRows(at(y), at(a), at(v), rows, count, stride),
    subtractBoth: (a, v, w, rows, count, stride) =>
      kernels.subtractBoth(at(a), at(v), at(w), rows, count, stride),
    reflect: (a, v, beta, rows, count, stride) =>
      kernels.reflectRows(at(a), at(v), beta, rows, count, stride),
    rotate: (x, y, count, cosine, sine) => kernels.rotateRows(at(x), at(y), count, cosine, sine),
  };
}

/** The same in plain loops. */
export function plainRowOperations(size: number): RowOperations {
  const numbers = new Float64Array(size);
  const dot = (x: number, y: number, count: number) => {
    let sum = 0;
    for (let i = 0; i < count; i++) sum += numbers[x + i]! * numbers[y + i]!;
    return sum;
  };
  const subtract = (x: number, factor: number, y: number, count: number) => {
    for (let i = 0; i < count; i++) numbers[x + i]! -= factor * numbers[y + i]!;
  };
  return {
    numbers,
    multiply: (y, a, v, rows, count, stride) => {
      for (let row = 0; row < rows; row++) numbers[y + row] = dot(a + row * stride, v, count);
    },
    subtractBoth: (a, v, w, rows, count, stride) => {
      for (let row = 0; row < rows; row++) {
        subtract(a + row * stride, numbers[v + row]!, w, count);
        subtract(a + row * stride, numbers[w + row]!, v, count);
      }
    },
    reflect: (a, v, beta, rows, count, stride) => {
      for (let row = 0; row < rows; row++) {
        subtract(a + row * stride, beta * dot(a + row * stride, v, count), v, count);
      }
    },
    rotate: (x, y, count, cosine, sine) => {
      for (let i = 0; i < count; i++) {
        const [u, v] = [numbers[x + i]!, numbers[y + i]!];
        numbers[x + i] = cosine * u - sine * v;
        numbers[y + i] = sine * u + cosine * v;
      }
    },
  };
}
