import type { TraceKernel } from '../../op.js';
import { binary, cast, expand, unary } from '../emit.js';
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
  (graph, { a, b }) => [binary(graph, op, a!, b!, 'bool')];

const DIRECT: Record<string, string> = {
  Neg: 'Neg',
  Exp: 'Exp',
  Log: 'Log',
  Sqrt: 'Sqrt',
  Abs: 'Abs',
  Sign: 'Sign',
  Tanh: 'Tanh',
  Sigmoid: 'Sigmoid',
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

function softReluFamily(): Kernels {
  return {
    Relu6: (graph, { x }) => [
      graph.node('Clip', [expand(graph, x!, x!.shape), float(graph, 0), float(graph, 6)], x!),
    ],
    LeakyRelu: (graph, { x }, { alpha }) => [
      unary(graph, 'LeakyRelu', x!, x!.dtype, { alpha: { float: Number(alpha) } }),
    ],
    Elu: (graph, { x }) => [unary(graph, 'Elu', x!)],
    EluGrad: (graph, { dy, y }) => {
      const slope = binary(graph, 'Min', binary(graph, 'Add', y!, float(graph, 1)), float(graph, 1));
      return [binary(graph, 'Mul', dy!, slope)];
    },
    Selu: (graph, { x }) => [
      unary(graph, 'Selu', x!, x!.dtype, {
        alpha: { float: 1.6732632423543772 },
        gamma: { float: 1.0507009873554805 },
      }),
    ],
    Prelu: (graph, { x, alpha }) => {
      const negative = binary(graph, 'Mul', binary(graph, 'Min', x!, float(graph, 0)), alpha!);
      return [binary(graph, 'Add', binary(graph, 'Max', x!, float(graph, 0)), negative)];
    },
    Step: (graph, { x }, { alpha }) => {
      const positive = binary(graph, 'Greater', x!, float(graph, 0), 'bool');
      return [where(graph, positive, float(graph, 1), float(graph, Number(alpha ?? 0)), x!.shape)];
    },
    ClipByValue: (graph, { x }, { clipValueMin, clipValueMax }) => [
      graph.node(
        'Clip',
        [x!, graph.scalar(Number(clipValueMin), x!.dtype), graph.scalar(Number(clipValueMax), x!.dtype)],
        x!,
      ),
    ],
  };
}

/** ONNX Where, with the result broadcast to `shape`. */
export function where(
  graph: GraphBuilder,
  condition: Value,
  yes: Value,
  no: Value,
  shape: readonly number[],
): Value {
  if (condition.fill !== undefined) return expand(graph, condition.fill !== 0 ? yes : no, shape);
  const scalarOf = (value: Value) =>
    value.fill === undefined ? value : graph.scalar(value.fill, value.dtype);
  return graph.node('Where', [condition, scalarOf(yes), scalarOf(no)], { shape, dtype: yes.dtype });
}

function accurateExponentials(): Kernels {
  return {
    // exp(x) - 1 = 2 exp(x/2) sinh(x/2) and log(1 + x) = 2 atanh(x / (2 + x)) keep their digits near zero.
    Expm1: (graph, { x }) => {
      const small = binary(graph, 'Less', unary(graph, 'Abs', x!), float(graph, 0.5), 'bool');
      const half = binary(graph, 'Mul', x!, float(graph, 0.5));
      const product = binary(graph, 'Mul', unary(graph, 'Exp', half), unary(graph, 'Sinh', half));
      const precise = binary(graph, 'Mul', product, float(graph, 2));
      // Far from zero the product would be 0 · ∞.
      const plain = binary(graph, 'Sub', unary(graph, 'Exp', x!), float(graph, 1));
      return [where(graph, small, precise, plain, x!.shape)];
    },
    Log1p: (graph, { x }) => {
      const small = binary(graph, 'Less', unary(graph, 'Abs', x!), float(graph, 0.5), 'bool');
      const ratio = binary(graph, 'Div', x!, binary(graph, 'Add', x!, float(graph, 2)));
      const precise = binary(graph, 'Mul', unary(graph, 'Atanh', ratio), float(graph, 2));
      const plain = unary(graph, 'Log', binary(graph, 'Add', x!, float(graph, 1)));
      return [where(graph, small, precise, plain, x!.shape)];
    },
  };
}

function arithmetic(): Kernels {
  return {
    Add: two('Add'),
    Sub: two('Sub'),
    Multiply: two('Mul'),
    RealDiv: two('Div'),
    Maximum: two('Max'),
    Minimum: two('Min'),
    Pow: two('Pow'),
    AddN: (graph, inputs) => [Object.values(inputs).reduce((sum, value) => binary(graph, 'Add', sum, value))],
    FloorDiv: (graph, { a, b }) => {
      const quotient = binary(graph, 'Div', cast(graph, a!, 'float32'), cast(graph, b!, 'float32'));
      return [cast(graph, unary(graph, 'Floor', quotient), a!.dtype)];
    },
    Mod: (graph, { a, b }) => {
      if (a!.dtype === 'int32') return [binary(graph, 'Mod', a!, b!)];
      const floor = unary(graph, 'Floor', binary(graph, 'Div', a!, b!));
      return [binary(graph, 'Sub', a!, binary(graph, 'Mul', b!, floor))];
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
    LogicalAnd: comparison('And'),
    LogicalOr: comparison('Or'),
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
  ...accurateExponentials(),
  ...logic(),
  Identity: (_graph, { x }) => [x!],
  Cast: (graph, { x }, { dtype }) => [cast(graph, x!, dtype as Value['dtype'])],
};
