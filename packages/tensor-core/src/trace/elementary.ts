import { binary, cast, floatConstant, unary, where } from './emit.js';
import type { GraphBuilder, Value } from './graph.js';

// Functions for which ONNX Runtime has no node, or one that loses digits, in the fewest nodes that keep them.

/** σ(x) = 1 / (1 + e⁻ˣ). The Sigmoid node keeps absolute digits only: it is 17 % off at -15 and 0 from -18 down. */
export function sigmoid(graph: GraphBuilder, x: Value): Value {
  const exponential = unary(graph, 'Exp', unary(graph, 'Neg', x));
  return unary(graph, 'Reciprocal', binary(graph, 'Add', exponential, graph.scalar(1)));
}

/** -1, 0 or 1, NaN for NaN. */
export function sign(graph: GraphBuilder, x: Value): Value {
  if (graph.bits === 64) return unary(graph, 'Sign', x);
  // WebGPU has no such node.
  const zero = graph.scalar(0, x.dtype);
  const flag = (op: string) => cast(graph, binary(graph, op, x, zero, 'bool'), x.dtype);
  const signum = binary(graph, 'Sub', flag('Greater'), flag('Less'));
  if (x.dtype !== 'float32') return signum;
  return where(graph, binary(graph, 'Equal', x, x, 'bool'), signum, x, x.shape);
}

/** eˣ - 1 for every x: e^(x/2) · 2 sinh(x/2) near zero, where the plain difference cancels. */
export function expm1(graph: GraphBuilder, x: Value): Value {
  const isSmall = binary(graph, 'Less', unary(graph, 'Abs', x), graph.scalar(0.5), 'bool');
  const half = binary(graph, 'Mul', x, graph.scalar(0.5));
  const product = binary(graph, 'Mul', unary(graph, 'Exp', half), unary(graph, 'Sinh', half));
  const precise = binary(graph, 'Mul', product, graph.scalar(2));
  // Far from zero the product would be 0 · ∞.
  const plain = binary(graph, 'Sub', unary(graph, 'Exp', x), graph.scalar(1));
  return where(graph, isSmall, precise, plain, x.shape);
}

/** log(1 + x) for every x: 2 atanh(x / (2 + x)) near zero, where the sum forgets x. */
export function log1p(graph: GraphBuilder, x: Value): Value {
  const isSmall = binary(graph, 'Less', unary(graph, 'Abs', x), graph.scalar(0.5), 'bool');
  const ratio = binary(graph, 'Div', x, binary(graph, 'Add', x, graph.scalar(2)));
  const precise = binary(graph, 'Mul', unary(graph, 'Atanh', ratio), graph.scalar(2));
  const plain = unary(graph, 'Log', binary(graph, 'Add', x, graph.scalar(1)));
  return where(graph, isSmall, precise, plain, x.shape);
}

/**
 * `scale · x` above zero and `scale · alpha · (eˣ - 1)` below: elu and selu. The Elu node takes 1 from eˣ and loses
 * all digits near zero; with t = tanh(x/2), eˣ - 1 is t / (½ - ½ t), in which nothing cancels.
 */
export function exponentialUnit(graph: GraphBuilder, x: Value, scale: number, alpha: number): Value {
  const t = unary(graph, 'Tanh', binary(graph, 'Mul', x, graph.scalar(0.5)));
  const half = graph.scalar(Math.fround(0.5 / (scale * alpha)));
  const negative = binary(graph, 'Div', t, binary(graph, 'Sub', half, binary(graph, 'Mul', t, half)));
  const isPositive = binary(graph, 'Greater', x, graph.scalar(0), 'bool');
  return where(
    graph,
    isPositive,
    binary(graph, 'Mul', x, graph.scalar(Math.fround(scale))),
    negative,
    x.shape,
  );
}

/** The remainder with the divisor's sign, as TensorFlow defines it; exact, unlike a - b ⌊a / b⌋. */
export function floorMod(graph: GraphBuilder, a: Value, b: Value): Value {
  const remainder = binary(graph, 'Mod', a, b, a.dtype, { fmod: 1 });
  const zero = floatConstant(graph, 0, a.dtype);
  const opposed = binary(
    graph,
    'Xor',
    binary(graph, 'Less', remainder, zero, 'bool'),
    binary(graph, 'Less', b, zero, 'bool'),
    'bool',
  );
  const isRest = unary(graph, 'Not', binary(graph, 'Equal', remainder, zero, 'bool'));
  const shifted = binary(graph, 'Add', remainder, b);
  return where(graph, binary(graph, 'And', opposed, isRest, 'bool'), shifted, remainder, remainder.shape);
}

/** Integers divided, rounded down, and the remainder with the divisor's sign; both 0 where the divisor is. */
export function wholeDivision(
  graph: GraphBuilder,
  a: Value,
  b: Value,
): { readonly quotient: Value; readonly remainder: Value } {
  const [zero, one] = [graph.scalar(0, 'int32'), graph.scalar(1, 'int32')];
  const isNone = binary(graph, 'Equal', b, zero, 'bool');
  const divisor = where(graph, isNone, one, b, b.shape);
  const towardsZero = binary(graph, 'Div', a, divisor);
  const rest = binary(graph, 'Sub', a, binary(graph, 'Mul', towardsZero, divisor));
  const flag = (op: string, x: Value) => cast(graph, binary(graph, op, x, zero, 'bool'), 'int32');
  const differs = binary(graph, 'Sub', flag('Less', rest), flag('Less', divisor));
  const isRest = binary(graph, 'Sub', one, flag('Equal', rest));
  // 1 where there is a rest of another sign than the divisor's: there the quotient was rounded up.
  const up = binary(graph, 'Mul', isRest, binary(graph, 'Mul', differs, differs));
  const quotient = binary(graph, 'Sub', towardsZero, up);
  return {
    quotient: where(graph, isNone, zero, quotient, rest.shape),
    remainder: binary(graph, 'Add', rest, binary(graph, 'Mul', up, divisor)),
  };
}

/** aᵇ; 1 to a power that is no finite number is NaN, as in JavaScript. */
export function power(graph: GraphBuilder, a: Value, b: Value): Value {
  const plain = binary(graph, 'Pow', a, b);
  if (a.dtype !== 'float32' || (b.fill !== undefined && Number.isFinite(b.fill))) return plain;
  const isOne = binary(graph, 'Equal', unary(graph, 'Abs', a), graph.scalar(1), 'bool');
  const isOdd = binary(
    graph,
    'Or',
    unary(graph, 'IsNaN', b, 'bool'),
    unary(graph, 'IsInf', b, 'bool'),
    'bool',
  );
  return where(
    graph,
    binary(graph, 'And', isOne, isOdd, 'bool'),
    graph.scalar(Number.NaN),
    plain,
    plain.shape,
  );
}

const PI_LOW = -8.742277657347586e-8;

/** The angle of the point (x, y), in (-π, π], with the signs of zeros and infinities as in IEEE 754. */
export function arcTangent2(graph: GraphBuilder, y: Value, x: Value): Value {
  const number = (value: number) => graph.scalar(Math.fround(value));
  const both = (op: string, a: Value, b: Value) => binary(graph, op, a, b);
  const isNegative = (value: Value) => {
    // The reciprocal tells -0 from 0.
    const reciprocal = unary(graph, 'Reciprocal', value);
    const below = binary(graph, 'Less', value, number(0), 'bool');
    return binary(graph, 'Or', below, binary(graph, 'Less', reciprocal, number(0), 'bool'), 'bool');
  };
  const [sizeY, sizeX] = [unary(graph, 'Abs', y), unary(graph, 'Abs', x)];
  const isSteep = binary(graph, 'Greater', sizeY, sizeX, 'bool');
  const shape = isSteep.shape;
  const [low, high] = [both('Min', sizeX, sizeY), both('Max', sizeX, sizeY)];
  const isEqual = binary(graph, 'Equal', sizeX, sizeY, 'bool');
  // Equal sizes are 45 degrees, infinite ones included, unless they are 0.
  const ratio = where(graph, isEqual, sign(graph, sizeX), both('Div', low, high), shape);
  const flat = unary(graph, 'Atan', ratio);
  const acute = where(graph, isSteep, both('Sub', number(Math.PI / 2), flat), flat, shape);
  const beyond = both('Add', both('Sub', number(Math.PI), acute), number(PI_LOW));
  const angle = where(graph, isNegative(x), beyond, acute, shape);
  return where(graph, isNegative(y), unary(graph, 'Neg', angle), angle, shape);
}
