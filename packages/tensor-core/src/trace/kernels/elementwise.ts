import type { TraceKernel } from '../../op.js';
import {
  arcTangent2,
  expm1,
  exponentialUnit,
  floorMod,
  log1p,
  power,
  sigmoid,
  sign,
  wholeDivision,
} from '../elementary.js';
import { binary, cast, expand, unary, where } from '../emit.js';
import type { GraphBuilder, Value } from '../graph.js';

type Kernels = Record<string, TraceKernel>;

const one =
  (op: string): TraceKernel =>
  (graph, { x }) => [unary(graph, op, x!)];
const two =
  (op: string): TraceKernel =>
  (graph, { a, b }) => [binary(graph, op, a!, b!)];
const comparison =
  (op: string): TraceKernel =>
  (graph, { a, b }) => {
    // The runtime compares the order of numbers only.
    const number = (value: Value) =>
      value.dtype === 'bool' && op !== 'Equal' ? cast(graph, value, 'int32') : value;
    return [binary(graph, op, number(a!), number(b!), 'bool')];
  };
const logical =
  (op: string): TraceKernel =>
  (graph, { a, b }) => [binary(graph, op, a!, b!, 'bool')];

const DIRECT: Record<string, string> = {
  Neg: 'Neg',
  Exp: 'Exp',
  Log: 'Log',
  Sqrt: 'Sqrt',
  Abs: 'Abs',
  Tanh: 'Tanh',
  Relu: 'Relu',
  Softplus: 'Softplus',
  Sin: 'Sin',
  Cos: 'Cos',
  Tan: 'Tan',
  Asin: 'Asin',
  Acos: 'Acos',
  Atan: 'Atan',
  Sinh: 'Sinh',
  Cosh: 'Cosh',
  Asinh: 'Asinh',
  Acosh: 'Acosh',
  Atanh: 'Atanh',
  Erf: 'Erf',
  Floor: 'Floor',
  Ceil: 'Ceil',
  Round: 'Round',
  Reciprocal: 'Reciprocal',
};

const float = (graph: GraphBuilder, value: number) => graph.scalar(value);

// Klambauer et al. 2017: the values with which activations keep mean 0 and variance 1.
const SELU_SCALE = 1.0507009873554805;
const SELU_ALPHA = 1.6732632423543772;

/** 1 above zero, `alpha` elsewhere, NaN for NaN. */
function step(graph: GraphBuilder, x: Value, alpha: number): Value {
  if (alpha === 0) return binary(graph, 'Max', sign(graph, x), float(graph, 0));
  const isPositive = binary(graph, 'Greater', x, float(graph, 0), 'bool');
  const below = where(graph, unary(graph, 'IsNaN', x, 'bool'), x, float(graph, alpha), x.shape);
  return where(graph, isPositive, float(graph, 1), below, x.shape);
}

function softReluFamily(): Kernels {
  return {
    Relu6: (graph, { x }) => [
      graph.node('Clip', [expand(graph, x!, x!.shape), float(graph, 0), float(graph, 6)], x!),
    ],
    LeakyRelu: (graph, { x }, { alpha }) => [
      unary(graph, 'LeakyRelu', x!, x!.dtype, { alpha: { float: Number(alpha) } }),
    ],
    Elu: (graph, { x }) => [exponentialUnit(graph, x!, 1, 1)],
    EluGrad: (graph, { dy, y }) => {
      const slope = binary(graph, 'Min', binary(graph, 'Add', y!, float(graph, 1)), float(graph, 1));
      return [binary(graph, 'Mul', dy!, slope)];
    },
    Selu: (graph, { x }) => [exponentialUnit(graph, x!, SELU_SCALE, SELU_ALPHA)],
    Prelu: (graph, { x, alpha }) => {
      const isNegative = binary(graph, 'Less', x!, float(graph, 0), 'bool');
      const scaled = binary(graph, 'Mul', x!, alpha!);
      return [where(graph, isNegative, scaled, x!, scaled.shape)];
    },
    Step: (graph, { x }, { alpha }) => [step(graph, x!, Number(alpha ?? 0))],
    ClipByValue: (graph, { x }, { clipValueMin, clipValueMax }) => [
      graph.node(
        'Clip',
        [x!, graph.scalar(Number(clipValueMin), x!.dtype), graph.scalar(Number(clipValueMax), x!.dtype)],
        x!,
      ),
    ],
  };
}

/** Whether integers have to be divided as such, because there is no float that holds all of them. */
const dividesWhole = (graph: GraphBuilder, a: Value) => a.dtype === 'int32' && graph.bits === 32;

function arithmetic(): Kernels {
  return {
    Add: two('Add'),
    Sub: two('Sub'),
    Multiply: two('Mul'),
    RealDiv: two('Div'),
    Maximum: two('Max'),
    Minimum: two('Min'),
    Pow: (graph, { a, b }) => [power(graph, a!, b!)],
    Atan2: (graph, { a, b }) => [arcTangent2(graph, a!, b!)],
    AddN: (graph, inputs) => [Object.values(inputs).reduce((sum, value) => binary(graph, 'Add', sum, value))],
    FloorDiv: (graph, { a, b }) => {
      if (dividesWhole(graph, a!)) return [wholeDivision(graph, a!, b!).quotient];
      const wide = a!.dtype === 'int32' ? 'float64' : a!.dtype;
      const quotient = binary(graph, 'Div', cast(graph, a!, wide), cast(graph, b!, wide));
      return [cast(graph, unary(graph, 'Floor', quotient), a!.dtype)];
    },
    Mod: (graph, { a, b }) => {
      if (dividesWhole(graph, a!)) return [wholeDivision(graph, a!, b!).remainder];
      const wide = a!.dtype === 'int32' ? 'float64' : a!.dtype;
      return [cast(graph, floorMod(graph, cast(graph, a!, wide), cast(graph, b!, wide)), a!.dtype)];
    },
    SquaredDifference: (graph, { a, b }) => {
      const difference = binary(graph, 'Sub', a!, b!);
      return [binary(graph, 'Mul', difference, difference)];
    },
    Square: (graph, { x }) => [binary(graph, 'Mul', x!, x!)],
    Rsqrt: (graph, { x }) => [unary(graph, 'Reciprocal', unary(graph, 'Sqrt', x!))],
  };
}

function logic(): Kernels {
  const not = (graph: GraphBuilder, value: Value) => unary(graph, 'Not', value);
  return {
    Equal: comparison('Equal'),
    NotEqual: (graph, { a, b }) => [not(graph, binary(graph, 'Equal', a!, b!, 'bool'))],
    Less: comparison('Less'),
    LessEqual: comparison('LessOrEqual'),
    Greater: comparison('Greater'),
    GreaterEqual: comparison('GreaterOrEqual'),
    LogicalAnd: logical('And'),
    LogicalOr: logical('Or'),
    LogicalNot: (graph, { x }) => [not(graph, x!)],
    IsNan: (graph, { x }) => [unary(graph, 'IsNaN', x!, 'bool')],
    IsInf: (graph, { x }) => [unary(graph, 'IsInf', x!, 'bool')],
    IsFinite: (graph, { x }) => {
      const odd = binary(
        graph,
        'Or',
        unary(graph, 'IsNaN', x!, 'bool'),
        unary(graph, 'IsInf', x!, 'bool'),
        'bool',
      );
      return [not(graph, odd)];
    },
    Select: (graph, { condition, t, e }) => [where(graph, condition!, t!, e!, t!.shape)],
  };
}

/** Kernels that work element by element. */
export const elementwiseKernels: Kernels = {
  ...Object.fromEntries(Object.entries(DIRECT).map(([kernel, op]) => [kernel, one(op)])),
  ...arithmetic(),
  ...softReluFamily(),
  ...logic(),
  Sigmoid: (graph, { x }) => [sigmoid(graph, x!)],
  Expm1: (graph, { x }) => [expm1(graph, x!)],
  Log1p: (graph, { x }) => [log1p(graph, x!)],
  Sign: (graph, { x }) => [sign(graph, x!)],
  Identity: (_graph, { x }) => [x!],
  Cast: (graph, { x }, { dtype }) => [cast(graph, x!, dtype as Value['dtype'])],
};
