import { type DType, type NDArray, tf } from '../../src/index.js';
import { references } from '../support/elementary-references.js';
import { at, bool, broadcast, float, int, type KernelCase, places, sample, told } from './kernel-case.js';

const { NaN: NAN, POSITIVE_INFINITY: INF } = Number;
const SPECIAL = [
  0,
  -0,
  1,
  -1,
  0.5,
  -0.5,
  2.5,
  -2.5,
  1e-30,
  -1e-30,
  1e30,
  -1e30,
  17.25,
  -17.25,
  NAN,
  INF,
  -INF,
];
const INTEGERS = [0, 1, -1, 2, -2, 7, -7, 8, 1000000007, -1000000007, 2147483647, -2147483648];

type Unary = readonly [kernel: string, op: (x: tf.Tensor) => tf.Tensor, plain: (x: number) => number];

const clip = (low: number, high: number) => (x: number) =>
  Number.isNaN(x) ? x : Math.min(high, Math.max(low, x));

/** Ops of floats that move no digits; the transcendental ones are measured in `numerics.test.ts` as well. */
const FLOAT_UNARY: readonly Unary[] = [
  ['Neg', tf.neg, (x) => -x],
  ['Abs', tf.abs, Math.abs],
  ['Square', tf.square, (x) => x * x],
  ['Sqrt', tf.sqrt, Math.sqrt],
  ['Rsqrt', tf.rsqrt, (x) => 1 / Math.sqrt(x)],
  ['Reciprocal', tf.reciprocal, (x) => 1 / x],
  ['Sign', tf.sign, Math.sign],
  ['Floor', tf.floor, Math.floor],
  ['Ceil', tf.ceil, Math.ceil],
  ['Round', tf.round, references.round!],
  ['Relu', tf.relu, clip(0, INF)],
  ['Relu6', tf.relu6, clip(0, 6)],
  ['LeakyRelu', (x) => tf.leakyRelu(x), (x) => (x < 0 ? Math.fround(0.2) * x : x)],
  ['LeakyRelu', (x) => tf.leakyRelu(x, 0.3), (x) => (x < 0 ? Math.fround(0.3) * x : x)],
  ['ClipByValue', (x) => tf.clipByValue(x, -0.75, 2), clip(-0.75, 2)],
  ['ClipByValue', (x) => tf.clipByValue(x, -INF, INF), (x) => x],
  ['Step', (x) => tf.step(x), (x) => (Number.isNaN(x) ? x : x > 0 ? 1 : 0)],
  ['Step', (x) => tf.step(x, 0.25), (x) => (Number.isNaN(x) ? x : x > 0 ? 1 : 0.25)],
  ['Identity', tf.clone, (x) => x],
  ...(
    [
      ['Exp', tf.exp],
      ['Expm1', tf.expm1],
      ['Log', tf.log],
      ['Log1p', tf.log1p],
      ['Sin', tf.sin],
      ['Cos', tf.cos],
      ['Tan', tf.tan],
      ['Asin', tf.asin],
      ['Acos', tf.acos],
      ['Atan', tf.atan],
      ['Sinh', tf.sinh],
      ['Cosh', tf.cosh],
      ['Tanh', tf.tanh],
      ['Asinh', tf.asinh],
      ['Acosh', tf.acosh],
      ['Atanh', tf.atanh],
      ['Sigmoid', tf.sigmoid],
      ['Softplus', tf.softplus],
      ['Elu', tf.elu],
      ['Selu', tf.selu],
      ['Erf', tf.erf],
    ] as const
  ).map(([kernel, op]): Unary => [kernel, op, references[kernel.toLowerCase()]!]),
];

const INT_UNARY: readonly Unary[] = [
  ['Neg', tf.neg, (x) => -x | 0],
  ['Abs', tf.abs, (x) => Math.abs(x) | 0],
  ['Sign', tf.sign, Math.sign],
  ['Square', tf.square, (x) => Math.imul(x, x)],
  ['Relu', tf.relu, (x) => Math.max(0, x)],
  ['ClipByValue', (x) => tf.clipByValue(x, -3, 5), clip(-3, 5)],
  ['Identity', tf.clone, (x) => x],
];

const SHAPES = [[], [1], [0], [5], [2, 0, 3], [3, 1, 4]] as const;

function unaryCases(): KernelCase[] {
  const caseOf = ([kernel, op, plain]: Unary, x: NDArray): KernelCase => ({
    kernel,
    name: `${kernel} ${x.dtype} [${x.shape}]`,
    inputs: [x],
    run: ([input]) => op(input!),
    expected: [told(x.dtype, x.shape, (place) => plain(at(x, place)))],
  });
  return [
    ...FLOAT_UNARY.flatMap((line) => [
      caseOf(line, float(SPECIAL)),
      ...SHAPES.map((shape) => caseOf(line, sample('float32', shape))),
    ]),
    ...INT_UNARY.flatMap((line) => [
      caseOf(line, int(INTEGERS.slice(0, line[0] === 'Square' ? 8 : undefined))),
      caseOf(line, sample('int32', [2, 0])),
      caseOf(line, sample('int32', [3, 1, 2])),
    ]),
  ];
}

type Binary = readonly [
  kernel: string,
  op: (a: tf.Tensor, b: tf.Tensor) => tf.Tensor,
  plain: (a: number, b: number) => number,
];

const larger = (a: number, b: number) => Math.max(a, b);
const smaller = (a: number, b: number) => Math.min(a, b);
const floorMod = (a: number, b: number) => {
  const rest = a % b;
  return rest !== 0 && rest < 0 !== b < 0 ? rest + b : rest;
};

const ARITHMETIC: readonly Binary[] = [
  ['Add', tf.add, (a, b) => a + b],
  ['Sub', tf.sub, (a, b) => a - b],
  ['Multiply', tf.mul, (a, b) => a * b],
  ['Maximum', tf.maximum, larger],
  ['Minimum', tf.minimum, smaller],
  ['SquaredDifference', tf.squaredDifference, (a, b) => (a - b) * (a - b)],
  ['FloorDiv', tf.floorDiv, (a, b) => Math.floor(Math.fround(a / b))],
  ['Mod', tf.mod, floorMod],
];
const FLOAT_BINARY: readonly Binary[] = [
  ...ARITHMETIC,
  ['RealDiv', tf.div, (a, b) => a / b],
  ['Pow', tf.pow, (a, b) => a ** b],
  ['Atan2', tf.atan2, Math.atan2],
  ['Prelu', tf.prelu, (a, b) => (a < 0 ? a * b : a)],
];
const COMPARISONS: readonly Binary[] = [
  ['Equal', tf.equal, (a, b) => Number(a === b)],
  ['NotEqual', tf.notEqual, (a, b) => Number(a !== b)],
  ['Less', tf.less, (a, b) => Number(a < b)],
  ['LessEqual', tf.lessEqual, (a, b) => Number(a <= b)],
  ['Greater', tf.greater, (a, b) => Number(a > b)],
  ['GreaterEqual', tf.greaterEqual, (a, b) => Number(a >= b)],
];
const LOGIC: readonly Binary[] = [
  ['LogicalAnd', tf.logicalAnd, (a, b) => Number(a !== 0 && b !== 0)],
  ['LogicalOr', tf.logicalOr, (a, b) => Number(a !== 0 || b !== 0)],
  ['NotEqual', tf.logicalXor, (a, b) => Number(a !== b)],
];

const PAIRS = [
  [[], []],
  [[5], [5]],
  [[1], [4]],
  [[0], [1]],
  [[2, 0, 3], [3]],
  [
    [2, 1, 3],
    [4, 1],
  ],
] as const;

/** Every pair of two lists, as two arrays. */
function allPairs(values: readonly number[], dtype: 'float32' | 'int32' | 'bool'): [NDArray, NDArray] {
  const pairs = values.flatMap((a) => values.map((b) => [a, b] as const));
  const make = dtype === 'float32' ? float : dtype === 'int32' ? int : bool;
  return [make(pairs.map(([a]) => a)), make(pairs.map(([, b]) => b))];
}

function binaryCases(): KernelCase[] {
  const caseOf = (
    [kernel, op, plain]: Binary,
    [a, b]: readonly [NDArray, NDArray],
    dtype: DType,
  ): KernelCase => ({
    kernel,
    name: `${kernel} ${a.dtype} [${a.shape}] [${b.shape}]`,
    inputs: [a, b],
    run: ([x, y]) => op(x!, y!),
    expected: [told(dtype, broadcast(a.shape, b.shape), (place) => plain(at(a, place), at(b, place)))],
  });
  const shaped = (dtype: DType) => PAIRS.map(([a, b]) => [sample(dtype, a, 1), sample(dtype, b, 2)] as const);
  const floats = [allPairs(SPECIAL, 'float32'), ...shaped('float32')];
  const small = [0, 1, -1, 2, -3, 7, -8, 1000, -46341];
  const ints = [allPairs(small, 'int32'), ...shaped('int32')];
  const bools = [allPairs([0, 1], 'bool'), ...shaped('bool')];
  const wide = allPairs([2147483647, -2147483648, 16777217, -16777217, 3, -10], 'int32');
  const toInt = ([kernel, op, plain]: Binary): Binary => [
    kernel,
    op,
    (a, b) => (kernel === 'FloorDiv' ? Math.floor(a / b) : plain(a, b)) | 0,
  ];
  return [
    ...FLOAT_BINARY.flatMap((line) => floats.map((pair) => caseOf(line, pair, 'float32'))),
    ...ARITHMETIC.map(toInt).flatMap((line) => ints.map((pair) => caseOf(line, pair, 'int32'))),
    ...ARITHMETIC.map(toInt).flatMap((line) =>
      /Mod|Maximum|Minimum|FloorDiv/.test(line[0]) ? [caseOf(line, wide, 'int32')] : [],
    ),
    ...COMPARISONS.flatMap((line) =>
      [...floats, ...ints, wide, ...bools].map((pair) => caseOf(line, pair, 'bool')),
    ),
    ...LOGIC.flatMap((line) => bools.map((pair) => caseOf(line, pair, 'bool'))),
  ];
}

function otherCases(): KernelCase[] {
  const x = float(SPECIAL);
  const is = (
    kernel: string,
    op: (x: tf.Tensor) => tf.Tensor,
    plain: (x: number) => boolean,
  ): KernelCase => ({
    kernel,
    name: `${kernel} of special values`,
    inputs: [x],
    run: ([input]) => op(input!),
    expected: [told('bool', x.shape, (place) => Number(plain(at(x, place))))],
  });
  const flags = bool([1, 0, 0, 1, 1, 0], [2, 3]);
  const where = (dtype: DType, shape: readonly number[]): KernelCase => {
    const [a, b] = [sample(dtype, shape, 3), sample(dtype, [2, 3], 4)];
    return {
      kernel: 'Select',
      name: `where ${dtype} [${shape}]`,
      inputs: [flags, a, b],
      run: ([c, t, e]) => tf.where(c!, t!, e!),
      expected: [told(dtype, [2, 3], (place) => (at(flags, place) ? at(a, place) : at(b, place)))],
    };
  };
  const odd = float([NAN, INF, 1, -INF], [4]);
  const addends = [sample('float32', [3], 1), sample('float32', [3], 2), sample('float32', [3], 3)];
  const whole = [sample('int32', [2], 1), sample('int32', [2], 2)];
  const addN = (arrays: readonly NDArray[]): KernelCase => ({
    kernel: 'AddN',
    name: `addN ${arrays[0]!.dtype} of ${arrays.length}`,
    inputs: arrays,
    run: (all) => tf.addN([...all]),
    expected: [
      told(arrays[0]!.dtype, arrays[0]!.shape, (place) =>
        arrays.reduce((sum, array) => sum + at(array, place), 0),
      ),
    ],
  });
  return [
    is('IsNan', tf.isNaN, Number.isNaN),
    is('IsInf', tf.isInf, (value) => Math.abs(value) === INF),
    is('IsFinite', tf.isFinite, Number.isFinite),
    {
      kernel: 'LogicalNot',
      name: 'LogicalNot',
      inputs: [flags],
      run: ([c]) => tf.logicalNot(c!),
      expected: [told('bool', [2, 3], (place) => 1 - at(flags, place))],
    },
    ...(['float32', 'int32', 'bool'] as const).flatMap((dtype) => [
      where(dtype, [2, 3]),
      where(dtype, [3]),
      where(dtype, []),
    ]),
    {
      kernel: 'Select',
      name: 'where keeps what is not chosen out',
      inputs: [bool([0, 0, 1, 1]), odd],
      run: ([c, value]) => tf.where(c!, value!, tf.zerosLike(value!)),
      expected: [{ dtype: 'float32', shape: [4], values: [0, 0, 1, -INF] }],
    },
    addN(addends),
    addN(whole),
    addN(addends.slice(0, 1)),
  ];
}

const CASTS = [0, -0, 0.9, -0.9, 1.5, -1.5, 7, 16777216, 2147483520, -2147483648, NAN, INF, -INF, 1e-40];

function castCases(): KernelCase[] {
  const sources = [
    float(CASTS),
    int(INTEGERS),
    bool([0, 1, 1]),
    sample('float32', [2, 0]),
    sample('float32', []),
  ];
  const convert = (dtype: DType, value: number) =>
    dtype === 'bool' ? Number(value !== 0) : dtype === 'int32' ? Math.trunc(value) | 0 : value;
  return sources.flatMap((x) =>
    (['float32', 'int32', 'bool'] as const).map((dtype) => ({
      kernel: 'Cast',
      name: `cast ${x.dtype} [${x.shape}] to ${dtype}`,
      inputs: [x],
      run: ([input]: readonly tf.Tensor[]) => tf.cast(input!, dtype),
      expected: [
        { dtype, shape: x.shape, values: places(x.shape).map((place) => convert(dtype, at(x, place))) },
      ],
    })),
  );
}

export const elementwiseCases: readonly KernelCase[] = [
  ...unaryCases(),
  ...binaryCases(),
  ...otherCases(),
  ...castCases(),
];
