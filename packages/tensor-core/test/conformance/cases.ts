import { type NDArray, ndarray, tf } from '../../src/index.js';
import { spread } from '../support/numbers.js';

type Tensors = readonly tf.Tensor[];

/** One op over one set of inputs. `differentiate` lists the inputs to which gradients are taken. */
export interface OpCase {
  readonly name: string;
  readonly inputs: readonly NDArray[];
  readonly differentiate: readonly number[];
  run(inputs: Tensors): tf.Tensor | tf.Tensor[];
}

const int = (values: readonly number[], shape: readonly number[] = [values.length]) =>
  ndarray(values, shape, 'int32');
const bool = (values: readonly number[], shape: readonly number[] = [values.length]) =>
  ndarray(values, shape, 'bool');

type Unary = (x: tf.Tensor) => tf.Tensor;

/** Ops of one float input: name, function, range of the inputs, whether it has a gradient. */
const UNARY: readonly (readonly [string, Unary, number, number, boolean?])[] = [
  ['neg', tf.neg, -2, 2],
  ['exp', tf.exp, -2, 2],
  ['expm1', tf.expm1, -1e-3, 1.5],
  ['expm1 of large numbers', (x) => tf.expm1(tf.mul(x, 1000)), -1, 0.01, false],
  ['log', tf.log, 0.2, 3],
  ['log1p', tf.log1p, -0.4, 3],
  ['sqrt', tf.sqrt, 0.2, 3],
  ['rsqrt', tf.rsqrt, 0.3, 3],
  ['square', tf.square, -2, 2],
  ['abs', tf.abs, -2.03, 2],
  ['tanh', tf.tanh, -2, 2],
  ['sigmoid', tf.sigmoid, -3, 3],
  ['relu', tf.relu, -2.03, 2],
  ['relu6', tf.relu6, -2.03, 8],
  ['leakyRelu', (x) => tf.leakyRelu(x, 0.1), -2.03, 2],
  ['elu', tf.elu, -2.03, 2],
  ['selu', tf.selu, -2.03, 2],
  ['softplus', tf.softplus, -3, 3],
  ['sin', tf.sin, -3, 3],
  ['cos', tf.cos, -3, 3],
  ['tan', tf.tan, -1, 1],
  ['asin', tf.asin, -0.8, 0.8],
  ['acos', tf.acos, -0.8, 0.8],
  ['atan', tf.atan, -2, 2],
  ['sinh', tf.sinh, -2, 2],
  ['cosh', tf.cosh, -2, 2],
  ['asinh', tf.asinh, -2, 2],
  ['acosh', tf.acosh, 1.2, 3],
  ['atanh', tf.atanh, -0.8, 0.8],
  ['erf', tf.erf, -2, 2],
  ['reciprocal', tf.reciprocal, 0.4, 3],
  ['floor', tf.floor, -2, 2, false],
  ['ceil', tf.ceil, -2, 2, false],
  ['round', tf.round, -2, 2, false],
  ['sign', tf.sign, -2, 2, false],
  ['step', (x) => tf.step(x, 0.2), -2, 2, false],
  ['clipByValue', (x) => tf.clipByValue(x, -0.53, 0.71), -2, 2],
  ['cast to int', (x) => tf.cast(x, 'int32'), -3, 3, false],
  ['cast to bool', (x) => tf.cast(tf.relu(x), 'bool'), -3, 3, false],
  ['isNaN', (x) => tf.isNaN(tf.log(x)), -1, 1, false],
  ['isFinite', (x) => tf.isFinite(tf.div(1, tf.relu(x))), -1, 1, false],
  ['isInf', (x) => tf.isInf(tf.div(1, tf.relu(x))), -1, 1, false],
  ['zerosLike', tf.zerosLike, -1, 1, false],
  ['onesLike', tf.onesLike, -1, 1, false],
];

type Binary = (a: tf.Tensor, b: tf.Tensor) => tf.Tensor;

const BINARY: readonly (readonly [string, Binary, boolean?])[] = [
  ['add', tf.add],
  ['sub', tf.sub],
  ['mul', tf.mul],
  ['div', tf.div],
  ['maximum', tf.maximum],
  ['minimum', tf.minimum],
  ['pow', tf.pow],
  ['squaredDifference', tf.squaredDifference],
  ['atan2', tf.atan2],
  ['prelu', tf.prelu, false],
  ['mod', tf.mod, false],
  ['floorDiv', tf.floorDiv, false],
  ['equal', tf.equal, false],
  ['notEqual', tf.notEqual, false],
  ['less', tf.less, false],
  ['lessEqual', tf.lessEqual, false],
  ['greater', tf.greater, false],
  ['greaterEqual', tf.greaterEqual, false],
];

const BROADCASTS: readonly (readonly [readonly number[], readonly number[]])[] = [
  [[5], [5]],
  [[3, 7], [7]],
  [
    [2, 1, 5],
    [3, 1],
  ],
  [[], [4, 3]],
];

function unaryCases(): OpCase[] {
  return UNARY.flatMap(([name, op, low, high, differentiable = true]) =>
    [[7], [3, 5], [2, 1, 3]].map((shape) => ({
      name: `${name} [${shape}]`,
      inputs: [spread(shape, low, high, 1)],
      differentiate: differentiable ? [0] : [],
      run: ([x]: Tensors) => op(x!),
    })),
  );
}

function binaryCases(): OpCase[] {
  return BINARY.flatMap(([name, op, differentiable = true]) =>
    BROADCASTS.filter(([a]) => name !== 'prelu' || a.length > 1).map(([a, b]) => ({
      name: `${name} [${a}] [${b}]`,
      inputs: [spread(a, 0.3, 2.9, 1), spread(b, 0.4, 2.2, 2)],
      differentiate: differentiable ? [0, 1] : [],
      run: ([x, y]: Tensors) => op(x!, y!),
    })),
  );
}

interface Line {
  readonly name: string;
  readonly inputs: readonly NDArray[];
  readonly run: (inputs: Tensors) => tf.Tensor | tf.Tensor[];
  readonly differentiate?: readonly number[];
}

const x357 = () => spread([3, 5, 7], -2, 2, 3);
const unaryLine = (
  name: string,
  run: (x: tf.Tensor) => tf.Tensor | tf.Tensor[],
  input = x357(),
  gradient = true,
): Line => ({
  name,
  inputs: [input],
  run: ([x]) => run(x!),
  differentiate: gradient ? [0] : [],
});

const REDUCTIONS: readonly Line[] = [
  unaryLine('sum all', (x) => tf.sum(x)),
  unaryLine('sum axis', (x) => tf.sum(x, [1])),
  unaryLine('sum axes kept', (x) => tf.sum(x, [0, 2], true)),
  unaryLine('mean', (x) => tf.mean(x, -1)),
  unaryLine('mean kept', (x) => tf.mean(x, [1], true)),
  unaryLine('max', (x) => tf.max(x, 1)),
  unaryLine('min', (x) => tf.min(x, [2], true)),
  unaryLine('prod', (x) => tf.prod(x, 2), spread([2, 3, 4], 0.5, 1.5, 4), false),
  unaryLine('any', (x) => tf.any(tf.cast(tf.relu(x), 'bool'), 1), x357(), false),
  unaryLine('all', (x) => tf.all(tf.cast(tf.relu(x), 'bool'), 2), x357(), false),
  unaryLine('argMax', (x) => tf.argMax(x, 1), x357(), false),
  unaryLine('argMin', (x) => tf.argMin(x, -1), x357(), false),
  unaryLine('topk', (x) => tf.topk(x, 3).values, x357(), false),
  unaryLine('topk indices', (x) => tf.topk(x, 3).indices, x357(), false),
  unaryLine('cumsum', (x) => tf.cumsum(x, 1)),
  unaryLine('cumsum exclusive', (x) => tf.cumsum(x, 0, true)),
  unaryLine('cumsum reverse', (x) => tf.cumsum(x, 2, false, true)),
  unaryLine('softmax', (x) => tf.softmax(x)),
  unaryLine('logSoftmax', (x) => tf.logSoftmax(x)),
  unaryLine('logSumExp', (x) => tf.logSumExp(x, -1)),
  {
    name: 'unsortedSegmentSum',
    inputs: [spread([5, 3], -1, 1, 5), int([2, 0, 2, 3, 0])],
    run: ([x, ids]) => tf.unsortedSegmentSum(x!, ids as tf.Tensor1D, 4),
    differentiate: [0],
  },
  {
    name: 'scatterND',
    inputs: [int([4, 1, 4], [3, 1]), spread([3, 2], -1, 1, 6)],
    run: ([ids, updates]) => tf.scatterND(ids!, updates!, [6, 2]),
  },
  {
    name: 'gatherND',
    inputs: [spread([4, 5], -1, 1, 7), int([1, 2, 3, 0], [2, 2])],
    run: ([x, ids]) => tf.gatherND(x!, ids!),
  },
];

const SHAPES: readonly Line[] = [
  unaryLine('reshape', (x) => tf.reshape(x, [5, -1])),
  unaryLine('expandDims', (x) => tf.expandDims(x, 1)),
  unaryLine('squeeze', (x) => tf.squeeze(tf.expandDims(x, 0), [0])),
  unaryLine('transpose', (x) => tf.transpose(x, [2, 0, 1])),
  unaryLine('slice', (x) => tf.slice(x, [1, 0, 2], [2, 3, -1])),
  unaryLine('stridedSlice', (x) => tf.stridedSlice(x, [0, 4, 1], [3, 0, 7], [2, -2, 3]), x357(), false),
  unaryLine('pad', (x) =>
    tf.pad(
      x,
      [
        [1, 0],
        [0, 2],
        [3, 1],
      ],
      0,
    ),
  ),
  unaryLine('pad constant', (x) =>
    tf.pad(
      x,
      [
        [1, 0],
        [0, 2],
        [0, 1],
      ],
      1.5,
    ),
  ),
  unaryLine('mirrorPad', (x) =>
    tf.mirrorPad(
      x,
      [
        [1, 2],
        [0, 0],
        [2, 1],
      ],
      'reflect',
    ),
  ),
  unaryLine('tile', (x) => tf.tile(x, [1, 2, 3])),
  unaryLine('broadcastTo', (x) => tf.broadcastTo(x, [3, 4, 7]), spread([3, 1, 7], -1, 1, 8)),
  unaryLine('reverse', (x) => tf.reverse(x, [0, 2])),
  unaryLine('split', (x) => tf.split(x, [2, 1, 4], 2)),
  unaryLine('unstack', (x) => tf.unstack(x, 1)),
  {
    name: 'concat',
    inputs: [spread([2, 3], -1, 1, 9), spread([2, 4], -1, 1, 10)],
    run: ([a, b]) => tf.concat([a!, b!], 1),
    differentiate: [0, 1],
  },
  {
    name: 'stack',
    inputs: [spread([2, 3], -1, 1, 11), spread([2, 3], -1, 1, 12)],
    run: ([a, b]) => tf.stack([a!, b!], 1),
    differentiate: [0, 1],
  },
  {
    name: 'gather',
    inputs: [x357(), int([4, 0, 4, 2])],
    run: ([x, ids]) => tf.gather(x!, ids!, 1),
    differentiate: [0],
  },
  {
    name: 'gather rows of a batch',
    inputs: [x357(), int([4, 0, 1, 2, 3, 3], [3, 2])],
    run: ([x, ids]) => tf.gather(x!, ids!, 1, 1),
  },
  { name: 'oneHot', inputs: [int([1, 3, 0], [3])], run: ([ids]) => tf.oneHot(ids!, 5) },
  {
    name: 'oneHot float32',
    inputs: [int([1, 3, 0], [3])],
    run: ([ids]) => tf.oneHot(ids!, 5, 2.5, -1, 'float32'),
  },
  {
    name: 'where',
    inputs: [bool([1, 0, 0, 1, 1, 0], [2, 3]), spread([2, 3], -1, 1, 13), spread([2, 3], -1, 1, 14)],
    run: ([c, a, b]) => tf.where(c!, a!, b!),
    differentiate: [1, 2],
  },
  {
    name: 'logical ops',
    inputs: [bool([1, 0, 0, 1]), bool([1, 1, 0, 0])],
    run: ([a, b]) => [tf.logicalAnd(a!, b!), tf.logicalOr(a!, b!), tf.logicalNot(a!), tf.logicalXor(a!, b!)],
  },
  unaryLine('fill and range', (x) => tf.add(x, tf.add(tf.fill([5, 7], 0.25), tf.range(0, 7))), x357()),
  {
    name: 'addN',
    inputs: [spread([4], -1, 1, 1), spread([4], -1, 1, 2), spread([4], -1, 1, 3)],
    run: (all) => tf.addN([...all]),
    differentiate: [0, 1, 2],
  },
];

const MATMULS: readonly Line[] = (
  [
    [[3, 5], [5, 7], false, false],
    [[5, 3], [5, 7], true, false],
    [[3, 5], [7, 5], false, true],
    [[5, 3], [7, 5], true, true],
    [[2, 3, 5], [2, 5, 7], false, false],
    [[2, 3, 5], [2, 7, 5], false, true],
    [[2, 5, 3], [2, 5, 7], true, false],
    [[1, 3, 5], [4, 5, 2], false, false],
    [[2, 1, 3, 5], [2, 3, 5, 2], false, false],
  ] as const
).map(([a, b, transposeA, transposeB]) => ({
  name: `matMul [${a}] [${b}] ${transposeA} ${transposeB}`,
  inputs: [spread(a, -1, 1, 15), spread(b, -1, 1, 16)],
  run: ([x, y]: Tensors) => tf.matMul(x!, y!, transposeA, transposeB),
  differentiate: [0, 1],
}));

/** The op table, over odd shapes. */
export const opCases: readonly OpCase[] = [
  ...unaryCases(),
  ...binaryCases(),
  ...[...REDUCTIONS, ...SHAPES, ...MATMULS].map((line) => ({ differentiate: [], ...line })),
];
