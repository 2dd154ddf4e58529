// Elementary functions in float64, written apart from the engines' own formulas.

/** Error function by its Taylor series; for |x| < 2.5 it loses no more than three of float64's digits. */
function erfSeries(x: number): number {
  let term = x;
  let total = x;
  for (let n = 1; n < 200 && Math.abs(term) > 1e-19 * Math.abs(total); n++) {
    term *= (-x * x) / n;
    total += term / (2 * n + 1);
  }
  return (2 / Math.sqrt(Math.PI)) * total;
}

/** 1 - erf, by its continued fraction where the difference would cancel. */
function erfc(x: number): number {
  if (x < 2.5) return 1 - erfSeries(x);
  let fraction = 0;
  for (let k = 120; k > 0; k--) fraction = k / 2 / (x + fraction);
  return Math.exp(-x * x) / Math.sqrt(Math.PI) / (x + fraction);
}

const erf = (x: number) => (Math.abs(x) < 2.5 ? erfSeries(x) : Math.sign(x) * (1 - erfc(Math.abs(x))));
const sigmoid = (x: number) => (x < 0 ? Math.exp(x) / (1 + Math.exp(x)) : 1 / (1 + Math.exp(-x)));
const softplus = (x: number) => (x > 0 ? x + Math.log1p(Math.exp(-x)) : Math.log1p(Math.exp(x)));
const SELU = { scale: 1.0507009873554805, alpha: 1.6732632423543772 };

function roundHalfEven(x: number): number {
  const low = Math.floor(x);
  const rest = x - low;
  if (rest !== 0.5) return rest < 0.5 ? low : low + 1;
  return low % 2 === 0 ? low : low + 1;
}

/** Reference by the lower-case name of the kernel or nn function. */
export const references: Readonly<Record<string, (x: number) => number>> = {
  exp: Math.exp,
  expm1: Math.expm1,
  log: Math.log,
  log1p: Math.log1p,
  sqrt: Math.sqrt,
  rsqrt: (x) => 1 / Math.sqrt(x),
  reciprocal: (x) => 1 / x,
  square: (x) => x * x,
  sin: Math.sin,
  cos: Math.cos,
  tan: Math.tan,
  asin: Math.asin,
  acos: Math.acos,
  atan: Math.atan,
  sinh: Math.sinh,
  cosh: Math.cosh,
  tanh: Math.tanh,
  asinh: Math.asinh,
  acosh: Math.acosh,
  atanh: Math.atanh,
  sigmoid,
  softplus,
  logsigmoid: (x) => -softplus(-x),
  elu: (x) => (x >= 0 ? x : Math.expm1(x)),
  selu: (x) => SELU.scale * (x >= 0 ? x : SELU.alpha * Math.expm1(x)),
  erf,
  round: roundHalfEven,
  gelu: (x) => (x < 0 ? (x * erfc(-x * Math.SQRT1_2)) / 2 : (x * (1 + erf(x * Math.SQRT1_2))) / 2),
  gelutanh: (x) => x * sigmoid(2 * Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)),
  silu: (x) => x * sigmoid(x),
};
