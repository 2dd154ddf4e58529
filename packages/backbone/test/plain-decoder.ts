import { type NDArray, treeLeaves } from '@palimpsest/tensor-core';
import type { TransformerConfig } from '../src/index.js';

// The decoder once more, token by token and number by number in float64, with the visibility of every pair of tokens
// given from outside. Written from the papers, not from the package.

type Vector = number[];
type Weights = Record<string, { data: ArrayLike<number>; shape: readonly number[] }>;

/** Parameters by path, as the naive decoder reads them. */
export const byPath = (params: unknown): Weights =>
  Object.fromEntries(
    treeLeaves<NDArray>(params).map(({ path, leaf }) => [
      path,
      { data: Float64Array.from(leaf.data), shape: leaf.shape },
    ]),
  );

/** Logits of one text, `[time][vocabSize]`. */
export function plainLogits(
  config: TransformerConfig,
  weights: Weights,
  tokens: readonly number[],
  sees: (query: number, key: number) => boolean,
): Vector[] {
  const d = config.modelWidth;
  let rows = tokens.map((token, position) => embed(config, weights, token, position));
  for (let layer = 0; layer < config.layers; layer++) {
    const at = `blocks.${layer}`;
    const read = attention(
      config,
      weights,
      at,
      rows.map((row) => norm(config, weights, `${at}.attentionNorm`, row)),
      sees,
    );
    rows = rows.map((row, t) => add(row, affine(weights, `${at}.output`, read[t]!)));
    rows = rows.map((row) => add(row, mlp(config, weights, at, norm(config, weights, `${at}.mlpNorm`, row))));
  }
  const head = weights['head.weight'] ?? weights.tokenEmbedding!;
  return rows.map((row) => matVec(head, norm(config, weights, 'norm', row), config.vocabSize, d));
}

const add = (a: Vector, b: Vector) => a.map((value, i) => value + b[i]!);
const dot = (a: Vector, b: Vector) => a.reduce((sum, value, i) => sum + value * b[i]!, 0);

function matVec(matrix: Weights[string], x: Vector, rows: number, columns: number): Vector {
  return Array.from({ length: rows }, (_, row) => {
    let sum = 0;
    for (let i = 0; i < columns; i++) sum += matrix.data[row * columns + i]! * x[i]!;
    return sum;
  });
}

function affine(weights: Weights, path: string, x: Vector): Vector {
  const matrix = weights[`${path}.weight`]!;
  const product = matVec(matrix, x, matrix.shape[0]!, matrix.shape[1]!);
  const bias = weights[`${path}.bias`];
  return bias ? product.map((value, i) => value + bias.data[i]!) : product;
}

function embed(config: TransformerConfig, weights: Weights, token: number, position: number): Vector {
  const d = config.modelWidth;
  return Array.from({ length: d }, (_, i) => {
    const value = weights.tokenEmbedding!.data[token * d + i]!;
    if (config.positions === 'learned') return value + weights.positionEmbedding!.data[position * d + i]!;
    if (config.positions === 'rotary') return value;
    const angle = position / 10000 ** ((2 * Math.floor(i / 2)) / d);
    return value * Math.sqrt(d) + (i % 2 === 0 ? Math.sin(angle) : Math.cos(angle));
  });
}

function norm(config: TransformerConfig, weights: Weights, path: string, x: Vector): Vector {
  const mean =
    config.norm === 'layer'
      ? dot(
          x,
          x.map(() => 1),
        ) / x.length
      : 0;
  const centred = x.map((value) => value - mean);
  const scale = 1 / Math.sqrt(dot(centred, centred) / x.length + config.normEpsilon);
  return centred.map(
    (value, i) => value * scale * weights[`${path}.gain`]!.data[i]! + (weights[`${path}.bias`]?.data[i] ?? 0),
  );
}

function attention(
  config: TransformerConfig,
  weights: Weights,
  at: string,
  rows: Vector[],
  sees: (query: number, key: number) => boolean,
): Vector[] {
  const { heads, keyValueHeads, headWidth: width } = config;
  const packed = rows.map((row) => affine(weights, `${at}.queryKeyValue`, row));
  const part = (t: number, head: number) => packed[t]!.slice(head * width, (head + 1) * width);
  const turned = (t: number, head: number) =>
    config.positions === 'rotary' ? rotate(config, part(t, head), t) : part(t, head);
  return rows.map((_, t) => {
    const read: Vector = [];
    for (let head = 0; head < heads; head++) {
      const shared = Math.floor((head * keyValueHeads) / heads);
      const query = turned(t, head);
      const seen = rows.map((__, s) => s).filter((s) => sees(t, s));
      const scores = seen.map((s) => dot(query, turned(s, heads + shared)) / Math.sqrt(width));
      const top = Math.max(...scores);
      const exponentials = scores.map((score) => Math.exp(score - top));
      const total = exponentials.reduce((sum, value) => sum + value, 0);
      for (let i = 0; i < width; i++) {
        read.push(
          seen.reduce(
            (sum, s, index) =>
              sum + (exponentials[index]! / total) * part(s, heads + keyValueHeads + shared)[i]!,
            0,
          ),
        );
      }
    }
    return read;
  });
}

function rotate({ rotaryBase, headWidth: width }: TransformerConfig, x: Vector, position: number): Vector {
  const half = width / 2;
  return x.map((value, i) => {
    const angle = position * rotaryBase ** ((-2 * (i % half)) / width);
    return value * Math.cos(angle) + (i < half ? -x[i + half]! : x[i - half]!) * Math.sin(angle);
  });
}

function mlp(config: TransformerConfig, weights: Weights, at: string, x: Vector): Vector {
  const up = affine(weights, `${at}.up`, x);
  const hidden =
    config.activation === 'swiglu'
      ? up
          .slice(0, config.mlpWidth)
          .map((gate, i) => (gate / (1 + Math.exp(-gate))) * up[config.mlpWidth + i]!)
      : up.map(config.activation === 'gelu' ? exactGelu : tanhGelu);
  return affine(weights, `${at}.down`, hidden);
}

const tanhGelu = (x: number) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)));

/** x Φ(x), with Φ by its power series, exact to float64 for |x| < 6. */
function exactGelu(x: number): number {
  let term = x;
  let sum = x;
  for (let n = 1; n < 200; n++) {
    term *= (-x * x) / (2 * n);
    sum += term / (2 * n + 1);
  }
  return x * (0.5 + sum / Math.sqrt(2 * Math.PI));
}
