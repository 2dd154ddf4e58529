import {
  type Engine,
  gelu,
  geluTanh,
  layerNorm,
  logSoftmax,
  type NDArray,
  ndarray,
  normalise,
  rmsNorm,
  silu,
  sizeOf,
  softmax,
  tf,
} from '../../src/index.js';
import { references } from '../support/elementary-references.js';

/** One line of the table: what is computed, and its largest error on an engine. */
export interface Measurement {
  readonly group: 'Elementary functions' | 'Functions of two arguments' | 'Sums and products' | 'Rows';
  readonly name: string;
  readonly over: string;
  /** Largest error that is right, and why it is more than 4e-6. */
  readonly bound: number;
  readonly why?: string;
  measure(engine: Engine): Promise<number>;
}

const BOUND = 4e-6;
const SMALLEST_NORMAL = 2 ** -126;

/** Numbers of every size and sign that float32 has, and many where functions bend: deterministic. */
export function everySize(): Float32Array {
  const numbers = new Set<number>();
  const bits = new Uint32Array(1);
  const number = new Float32Array(bits.buffer);
  const both = (x: number) => numbers.add(Math.fround(x)).add(Math.fround(-x));
  for (let exponent = 1; exponent < 255; exponent++) {
    for (let part = 0; part < 16; part++) {
      bits[0] = (exponent << 23) | ((part * 0x7fffff) / 16 + ((exponent * 7919 + part * 104729) & 0x3ffff));
      both(number[0]!);
    }
  }
  for (let i = 1; i <= 8000; i++) {
    const fraction = (i * 0.6180339887) % 1;
    both(fraction * 110);
    both(fraction * 11);
    both(fraction * 1.1);
    both(1 + (fraction - 0.5) * 2 ** -(i % 24));
  }
  for (let i = 1; i < 40; i++) both((i * Math.PI) / 2);
  return Float32Array.from(numbers);
}

/** Largest error relative to the true value, or to the smallest normal number where that is larger. */
function relativeError(actual: ArrayLike<number>, truth: (index: number) => number): number {
  let largest = 0;
  for (let index = 0; index < actual.length; index++) {
    const [got, want] = [actual[index]!, truth(index)];
    const rounded = Math.fround(want);
    if (Object.is(got, rounded) || got === rounded) continue;
    // Where the result leaves float32's range, infinity and the largest number are both right.
    if (!Number.isFinite(rounded) && Math.abs(got) > 3.4e38 && Math.sign(got) === Math.sign(rounded))
      continue;
    const error = Math.abs(got - want) / Math.max(Math.abs(want), SMALLEST_NORMAL);
    largest = Number.isNaN(error) ? Number.POSITIVE_INFINITY : Math.max(largest, error);
  }
  return largest;
}

async function run(engine: Engine, op: (...x: tf.Tensor[]) => tf.Tensor, inputs: readonly NDArray[]) {
  const compiled = engine.compile(op);
  const output = await compiled(...(inputs as never[]));
  const data = await output.data();
  output.dispose();
  await compiled.dispose();
  return data;
}

type Line = readonly [name: string, op: (x: tf.Tensor) => tf.Tensor, bound?: number, why?: string];

const TAIL = 'from -2 down it takes 1 + erf, as PyTorch does: what is lost is 1e-7 of x';
const FLUSHED = 'below -87 the logistic function leaves the normal numbers of float32';
const TINY = 'within 1e-36 of zero the runtime computes with denormal numbers';

const UNARY: readonly Line[] = [
  ['exp', tf.exp],
  ['expm1', tf.expm1],
  ['log', tf.log],
  ['log1p', tf.log1p],
  ['sqrt', tf.sqrt],
  ['rsqrt', tf.rsqrt],
  ['reciprocal', tf.reciprocal],
  ['square', tf.square],
  ['sin', tf.sin],
  ['cos', tf.cos],
  ['tan', tf.tan],
  ['asin', tf.asin],
  ['acos', tf.acos],
  ['atan', tf.atan],
  ['sinh', tf.sinh],
  ['cosh', tf.cosh],
  ['tanh', tf.tanh, 1, TINY],
  ['asinh', tf.asinh],
  ['acosh', tf.acosh],
  ['atanh', tf.atanh],
  ['sigmoid', tf.sigmoid, 1, FLUSHED],
  ['softplus', tf.softplus],
  ['logSigmoid', tf.logSigmoid],
  ['elu', tf.elu, 1, TINY],
  ['selu', tf.selu, 1, TINY],
  ['erf', tf.erf],
  ['silu', silu, 1, FLUSHED],
  ['geluTanh', geluTanh, 1, `${FLUSHED}, and z grows with x³, which multiplies its rounding`],
  ['gelu', gelu, 1, TAIL],
];

/** Where a function that has an exception still keeps the common bound. */
const INSIDE: Readonly<Record<string, (x: number) => boolean>> = {
  tanh: (x) => Math.abs(x) > 1e-36,
  elu: (x) => Math.abs(x) > 1e-36,
  selu: (x) => Math.abs(x) > 1e-36,
  sigmoid: (x) => x > -87,
  silu: (x) => x > -87,
  geluTanh: (x) => x > -5,
  gelu: (x) => x > -2,
};

function unaryLines(): Measurement[] {
  const all = everySize();
  const line = (
    [name, op]: Line,
    part: Float32Array,
    over: string,
    bound: number,
    why?: string,
  ): Measurement => ({
    group: 'Elementary functions',
    name,
    over,
    bound,
    ...(why ? { why } : {}),
    measure: async (engine) => {
      const plain = references[name.toLowerCase()]!;
      const actual = await run(engine, (x) => op(x!), [ndarray(part, [part.length])]);
      return relativeError(actual, (index) => plain(part[index]!));
    },
  });
  return UNARY.flatMap((entry) => {
    const [name, , bound = BOUND, why] = entry;
    const inside = INSIDE[name];
    if (!inside) return [line(entry, all, 'all of float32', bound)];
    const [kept, left] = [all.filter(inside), all.filter((x) => !inside(x))];
    return [line(entry, kept, 'all but the next line', BOUND), line(entry, left, 'the rest', bound, why)];
  });
}

const BINARY: readonly [
  name: string,
  op: (a: tf.Tensor, b: tf.Tensor) => tf.Tensor,
  plain: (a: number, b: number) => number,
][] = [
  ['div', tf.div, (a, b) => a / b],
  ['pow', tf.pow, (a, b) => a ** b],
  ['atan2', tf.atan2, Math.atan2],
  ['mod', tf.mod, (a, b) => (a % b !== 0 && a % b < 0 !== b < 0 ? (a % b) + b : a % b)],
];

function binaryLines(): Measurement[] {
  const some = everySize().filter((_, index) => index % 97 === 0 && index > 0);
  const pairs = [...some].flatMap((a) => [...some].filter((_, j) => j % 5 === 0).map((b) => [a, b] as const));
  const inputs = [0, 1].map((side) =>
    ndarray(
      Float32Array.from(pairs, (pair) => pair[side]!),
      [pairs.length],
    ),
  );
  return BINARY.map(([name, op, plain]) => ({
    group: 'Functions of two arguments',
    name,
    over: 'pairs from all of float32',
    bound: BOUND,
    measure: async (engine) =>
      relativeError(await run(engine, (a, b) => op(a!, b!), inputs), (index) => plain(...pairs[index]!)),
  }));
}

const SUM_BOUND = 1e-6;

/** Terms that are hard on one float32 accumulator: one number repeated, and numbers of a period. */
const TERMS: readonly ((index: number) => number)[] = [
  () => 0.1,
  () => 1,
  (index) => 0.01 + ((index * 0.6180339887) % 1),
];

interface SumLine {
  readonly name: string;
  readonly shape: readonly number[];
  readonly axis: number;
  readonly op: (x: tf.Tensor, axis: number) => tf.Tensor;
  readonly mean?: boolean;
}

const SUMS: readonly SumLine[] = [
  ...[[2 ** 20], [3, 100_003], [99_991, 3], [2 ** 17, 8], [3, 2 ** 15, 5], [8, 1000]].flatMap(
    (shape): SumLine[] => {
      const axis = shape.length === 3 ? 1 : shape.length === 2 && shape[0]! < shape[1]! ? 1 : 0;
      return [
        { name: 'sum', shape, axis, op: (x, at) => tf.sum(x, at) },
        { name: 'mean', shape, axis, op: (x, at) => tf.mean(x, at), mean: true },
      ];
    },
  ),
];

function sumLines(): Measurement[] {
  const reductions = SUMS.map(
    ({ name, shape, axis, op, mean }): Measurement => ({
      group: 'Sums and products',
      name,
      over: `axis ${axis} of [${shape.join(', ')}]`,
      bound: SUM_BOUND,
      measure: async (engine) => {
        let largest = 0;
        for (const term of TERMS) {
          const x = Float32Array.from({ length: sizeOf(shape) }, (_, index) => term(index));
          const inner = sizeOf(shape.slice(axis + 1));
          const totals = new Float64Array(sizeOf(shape) / shape[axis]!);
          x.forEach((value, index) => {
            totals[Math.floor(index / (inner * shape[axis]!)) * inner + (index % inner)]! += value;
          });
          const actual = await run(engine, (input) => op(input!, axis), [ndarray(x, shape)]);
          const count = mean ? shape[axis]! : 1;
          largest = Math.max(
            largest,
            relativeError(actual, (index) => totals[index]! / count),
          );
        }
        return largest;
      },
    }),
  );
  const cumulative = [[2 ** 18], [2 ** 16, 4]].map(
    (shape): Measurement => ({
      group: 'Sums and products',
      name: 'cumsum',
      over: `axis 0 of [${shape.join(', ')}]`,
      bound: SUM_BOUND,
      measure: async (engine) => {
        let largest = 0;
        for (const term of TERMS) {
          const x = Float32Array.from({ length: sizeOf(shape) }, (_, index) => term(index));
          const inner = sizeOf(shape.slice(1));
          const truth = Float64Array.from(x);
          for (let index = inner; index < x.length; index++) truth[index]! += truth[index - inner]!;
          const actual = await run(engine, (input) => tf.cumsum(input!, 0), [ndarray(x, shape)]);
          largest = Math.max(
            largest,
            relativeError(actual, (index) => truth[index]!),
          );
        }
        return largest;
      },
    }),
  );
  const product: Measurement = {
    group: 'Sums and products',
    name: 'prod',
    over: 'axis 1 of [16, 64]',
    bound: BOUND,
    measure: async (engine) => {
      const x = Float32Array.from({ length: 1024 }, (_, index) => 0.5 + ((index * 0.6180339887) % 1));
      const wide = Array.from({ length: 16 }, (_, row) => {
        let total = 1;
        for (const value of x.slice(64 * row, 64 * row + 64)) total *= value;
        return total;
      });
      return relativeError(
        await run(engine, (a) => tf.prod(a!, 1), [ndarray(x, [16, 64])]),
        (row) => wide[row]!,
      );
    },
  };
  return [...reductions, ...cumulative, product];
}

interface RowLine {
  readonly name: string;
  readonly op: (x: tf.Tensor) => tf.Tensor;
  readonly plain: (row: readonly number[]) => readonly number[];
  /** Results of a row that cross zero are measured against the largest of the row. */
  readonly crossesZero?: boolean;
}

const sum = (row: readonly number[]) => row.reduce((total, x) => total + x, 0);
const logSum = (row: readonly number[]) => {
  const top = row.reduce((a, b) => Math.max(a, b));
  return top + Math.log(sum(row.map((x) => Math.exp(x - top))));
};

const shiftedBy = (row: readonly number[], shift: number) => row.map((x) => x - shift);

const ROWS: readonly RowLine[] = [
  { name: 'softmax', op: softmax, plain: (row) => shiftedBy(row, logSum(row)).map(Math.exp) },
  { name: 'logSoftmax', op: logSoftmax, plain: (row) => shiftedBy(row, logSum(row)) },
  { name: 'logSumExp', op: (x) => tf.logSumExp(x, -1), plain: (row) => [logSum(row)] },
  {
    name: 'layerNorm',
    op: (x) => layerNorm(x, tf.ones([x.shape.at(-1)!]), tf.zeros([x.shape.at(-1)!])),
    plain: (row) => {
      const mean = sum(row) / row.length;
      const variance = sum(row.map((x) => (x - mean) ** 2)) / row.length;
      return row.map((x) => (x - mean) / Math.sqrt(variance + 1e-5));
    },
    crossesZero: true,
  },
  {
    name: 'rmsNorm',
    op: (x) => rmsNorm(x),
    plain: (row) => {
      const root = Math.sqrt(sum(row.map((x) => x * x)) / row.length + 1e-6);
      return row.map((x) => x / root);
    },
  },
  {
    name: 'normalise',
    op: (x) => normalise(x),
    plain: (row) => {
      const length = Math.sqrt(sum(row.map((x) => x * x)));
      return row.map((x) => x / length);
    },
  },
];

const WIDTHS = [10, 512, 5_000, 60_000] as const;

function rowLines(): Measurement[] {
  return ROWS.flatMap(({ name, op, plain, crossesZero }) =>
    WIDTHS.map(
      (width): Measurement => ({
        group: 'Rows',
        name,
        over: `rows of ${width}`,
        bound: BOUND,
        measure: async (engine) => {
          const x = Float32Array.from({ length: 2 * width }, (_, index) => 3 * Math.sin(index + 1));
          const truth = [0, 1].flatMap((row) => plain([...x.subarray(row * width, (row + 1) * width)]));
          const actual = await run(engine, (input) => op(input!), [ndarray(x, [2, width])]);
          if (!crossesZero) return relativeError(actual, (index) => truth[index]!);
          const largest = truth.reduce((top, value) => Math.max(top, Math.abs(value)), 0);
          return Array.from(actual).reduce(
            (worst, value, index) => Math.max(worst, Math.abs(value - truth[index]!) / largest),
            0,
          );
        },
      }),
    ),
  );
}

/** Every line of the table, in order. */
export const measurements: readonly Measurement[] = [
  ...unaryLines(),
  ...binaryLines(),
  ...sumLines(),
  ...rowLines(),
];
