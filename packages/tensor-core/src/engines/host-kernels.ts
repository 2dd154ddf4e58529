import { sizeOf } from '@palimpsest/base';
import { tf } from '../tf.js';
import {
  type Attributes,
  allocate,
  type HostBackend,
  type HostKernel,
  type Inputs,
  type Numbers,
} from './host-kernel.js';
import { hostReductions } from './host-reductions.js';

const elementwise =
  (f: (x: number) => number): HostKernel =>
  ({ x }, _attributes, read) => {
    const source = read(x!);
    const values = allocate(x!.dtype, source.length);
    for (let i = 0; i < source.length; i++) values[i] = f(source[i]!);
    return { values, shape: x!.shape, dtype: x!.dtype };
  };

/** Beyond it 1 - erf is less than half of a float32 step. */
const ERF_LIMIT = 4;
/** Enough terms of the series of erf at its limit. */
const ERF_TERMS = 64;

/** Error function by the series 2/√π e^(-x²) Σ 2ⁿ x^(2n+1) / (2n+1)!!, whose terms have one sign: no digit is lost. */
export function erf(x: number): number {
  if (Math.abs(x) >= ERF_LIMIT) return Math.sign(x);
  let term = x;
  let total = x;
  for (let n = 1; n < ERF_TERMS; n++) {
    term *= (2 * x * x) / (2 * n + 1);
    total += term;
    if (Math.abs(term) <= 1e-17 * Math.abs(total)) break;
  }
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * total;
}

const SELU_SCALE = 1.0507009873554805;
const SELU_ALPHA = 1.6732632423543772;

/** Running sums in float64; TensorFlow.js adds each to the float32 before it and stands still at 2^24. */
const cumulativeSum: HostKernel = ({ x }, { axis, exclusive, reverse }, read) => {
  const shape = x!.shape;
  const at = Number(axis) < 0 ? Number(axis) + shape.length : Number(axis);
  const extent = shape[at] ?? 1;
  const inner = sizeOf(shape.slice(at + 1));
  const source = read(x!);
  const dtype = x!.dtype === 'bool' ? 'int32' : x!.dtype;
  const values = allocate(dtype, source.length);
  for (let block = 0; block < source.length; block += extent * inner) {
    for (let lane = 0; lane < inner; lane++) {
      let total = 0;
      for (let step = 0; step < extent; step++) {
        const place = block + (reverse ? extent - 1 - step : step) * inner + lane;
        if (exclusive) values[place] = total;
        total += source[place]!;
        if (!exclusive) values[place] = total;
      }
    }
  }
  return { values, shape, dtype };
};

/** Sums of rows by segment in one pass; TensorFlow.js goes through all rows once per segment. */
const segmentSum: HostKernel = ({ x, segmentIds }, { numSegments }, read) => {
  const ids = read(segmentIds!);
  const rows = read(x!);
  const rowShape = x!.shape.slice(segmentIds!.shape.length);
  const width = sizeOf(rowShape);
  const height = Number(numSegments);
  const totals = new Float64Array(height * width);
  for (let row = 0; row < ids.length; row++) {
    const id = ids[row]!;
    if (id < 0 || id >= height) continue;
    for (let column = 0; column < width; column++)
      totals[id * width + column]! += rows[row * width + column]!;
  }
  const dtype = x!.dtype === 'bool' ? 'int32' : x!.dtype;
  const values = allocate(dtype, totals.length);
  values.set(totals);
  return { values, shape: [height, ...rowShape], dtype };
};

const broadcasting =
  (f: (a: number, b: number) => number, ofInts = f): HostKernel =>
  ({ a, b }, _attributes, read) => {
    const compute = a!.dtype === 'float32' ? f : ofInts;
    const shape = tf.broadcast_util.assertAndGetBroadcastShape(a!.shape, b!.shape);
    const [left, right] = [strided(read(a!), a!.shape, shape), strided(read(b!), b!.shape, shape)];
    const values = allocate(a!.dtype, sizeOf(shape));
    for (let i = 0; i < values.length; i++) values[i] = compute(left(i), right(i));
    return { values, shape, dtype: a!.dtype };
  };

/** The number that a broadcast array has at a flat place of the larger shape. */
function strided(
  values: Numbers,
  own: readonly number[],
  shape: readonly number[],
): (flat: number) => number {
  if (own.join() === shape.join()) return (flat) => values[flat]!;
  const skipped = shape.length - own.length;
  const strides = shape.map((_, axis) => {
    const extent = own[axis - skipped];
    return extent === undefined || extent === 1 ? 0 : sizeOf(own.slice(axis - skipped + 1));
  });
  return (flat) => {
    let rest = flat;
    let place = 0;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      const extent = shape[axis]!;
      place += (rest % extent) * strides[axis]!;
      rest = Math.floor(rest / extent);
    }
    return values[place]!;
  };
}

/** The remainder with the divisor's sign; 0 divided by infinity is 0. */
function floorMod(a: number, b: number): number {
  const rest = a % b;
  return rest !== 0 && rest < 0 !== b < 0 ? rest + b : rest;
}

/** The k largest of the last axis, the first of equal ones first; TensorFlow.js' selection mixes equal ones up. */
const topK: HostKernel = ({ x }, { k }, read) => {
  const source = read(x!);
  const width = x!.shape.at(-1)!;
  const shape = [...x!.shape.slice(0, -1), Number(k)];
  const values = allocate(x!.dtype, sizeOf(shape));
  const indices = new Int32Array(values.length);
  for (let row = 0; row * Number(k) < values.length; row++) {
    const line = source.subarray(row * width, (row + 1) * width);
    const order = [...line.keys()].sort((a, b) => line[b]! - line[a]! || a - b);
    for (let place = 0; place < Number(k); place++) {
      values[row * Number(k) + place] = line[order[place]!]!;
      indices[row * Number(k) + place] = order[place]!;
    }
  }
  return [
    { values, shape, dtype: x!.dtype },
    { values: indices, shape, dtype: 'int32' },
  ];
};

/** Kernels in which TensorFlow.js' own `cpu` backend loses digits or time. */
const BETTER_ON_HOST: Readonly<Record<string, HostKernel>> = {
  Elu: elementwise((x) => (x >= 0 ? x : Math.expm1(x))),
  Selu: elementwise((x) => SELU_SCALE * (x >= 0 ? x : SELU_ALPHA * Math.expm1(x))),
  Erf: elementwise(erf),
  Sign: elementwise(Math.sign),
  // By way of float32 it loses the digits of large integers.
  Abs: elementwise(Math.abs),
  // TensorFlow.js makes integers of float quotients here alone.
  FloorDiv: broadcasting(
    (a, b) => Math.floor(Math.fround(a / b)),
    (a, b) => Math.floor(a / b),
  ),
  Mod: broadcasting(floorMod),
  Cumsum: cumulativeSum,
  ...hostReductions,
  TopK: topK,
  UnsortedSegmentSum: segmentSum,
};

/** Puts the better kernels into the place of those of the `cpu` backend. */
export function registerHostKernels(): void {
  for (const [kernelName, kernel] of Object.entries(BETTER_ON_HOST)) {
    tf.unregisterKernel(kernelName, 'cpu');
    tf.registerKernel({
      kernelName,
      backendName: 'cpu',
      kernelFunc: ({ inputs, attrs, backend }) => {
        const host = backend as HostBackend;
        const read = (info: tf.TensorInfo) => host.readSync(info.dataId) as Numbers;
        const made = kernel(inputs as Inputs, (attrs ?? {}) as Attributes, read);
        const infos = [made].flat().map(({ values, shape, dtype }) => ({
          dataId: host.write(values, shape, dtype),
          shape,
          dtype,
        }));
        return Array.isArray(made) ? infos : infos[0]!;
      },
    });
  }
}
