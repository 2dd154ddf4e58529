import { tf } from '@palimpsest/tensor-core';
import { featureWidth } from '../check-config.js';
import type { NAMMConfig } from '../config.js';
import type { TokenView } from './bam.js';
import { unpack } from './layout.js';
import type { ScorerTensors } from './parameters.js';
import { attendAmongTokens, hiddenTokens, TILE } from './tiled-attention.js';

/** The scorer of one linear attention head, multiplied out (DERIVATION.md, "Folding the scorer"). */
export interface FoldedTensors {
  /** `[E, E]` */
  readonly A: Float64Array;
  /** `[E]` */
  readonly c: Float64Array;
  /** `[E]` */
  readonly u: Float64Array;
  /** `[E, E]` */
  readonly G: Float64Array;
  /** `[E]` */
  readonly w1: Float64Array;
  /** `[1]` */
  readonly b1: Float64Array;
}

/** Whether the scorer can be multiplied out. */
export const isFoldable = ({ scorer, bam }: NAMMConfig): boolean =>
  scorer === 'bam' &&
  bam.numHeads === 1 &&
  bam.residual &&
  bam.mult &&
  bam.mlpDepth === 1 &&
  bam.multNonlinearity === null &&
  !bam.useRope;

/** a `[rows, inner]` times b `[inner, columns]`, row-major, in float64. */
function product(a: Float64Array, b: Float64Array, rows: number, columns: number): Float64Array {
  const inner = a.length / rows;
  const result = new Float64Array(rows * columns);
  for (let i = 0; i < rows; i++) {
    for (let k = 0; k < inner; k++) {
      const factor = a[i * inner + k]!;
      for (let j = 0; j < columns; j++) result[i * columns + j]! += factor * b[k * columns + j]!;
    }
  }
  return result;
}

function transposed(a: Float64Array, rows: number): Float64Array {
  const columns = a.length / rows;
  return a.map((_, index) => a[(index % rows) * columns + Math.floor(index / rows)]!);
}

/** Columns `from`, ... of a row-major matrix. */
function columnsOf(a: Float64Array, width: number, from: number, count: number): Float64Array {
  const rows = a.length / width;
  return Float64Array.from(
    { length: rows * count },
    (_, index) => a[Math.floor(index / count) * width + from + (index % count)]!,
  );
}

/** The folded tensors of one scorer in the standard layout. */
export function foldParameters(config: NAMMConfig, flat: ArrayLike<number>): FoldedTensors {
  const width = featureWidth(config);
  const d = config.bam.hiddenDim;
  const parts = unpack(config, flat);
  const part = (name: string, size: number) => parts.get(name) ?? new Float64Array(size);
  const packed = part('queryKeyValue.weight', width * 3 * d);
  const packedBias = part('queryKeyValue.bias', 3 * d);
  const output = part('output.weight', d * 2 * width);
  const outputBias = part('output.bias', 2 * width);
  const w = part('readout.0.weight', width);
  const [wq, wk, wv] = [0, 1, 2].map((block) => columnsOf(packed, 3 * d, block * d, d)) as [
    Float64Array,
    Float64Array,
    Float64Array,
  ];
  const [bq, bv] = [packedBias.subarray(0, d), packedBias.subarray(2 * d)];
  const wr = columnsOf(output, 2 * width, 0, width);
  const wm = columnsOf(output, 2 * width, width, width);
  const scale = 1 / Math.sqrt(d);
  const readWeight = product(wr, w, d, 1);
  const dot = (a: Float64Array, b: Float64Array) => a.reduce((sum, value, i) => sum + value * b[i]!, 0);
  const factorBias = product(bv, wm, 1, width).map((value, i) => value + outputBias[width + i]!);
  return {
    A: product(wq, transposed(wk, width), width, width).map((value) => value * scale),
    c: product(wk, bq, width, 1).map((value) => value * scale),
    u: product(wv, readWeight, width, 1),
    G: product(wv, wm, width, width).map((value, index) => value * w[index % width]!),
    w1: w.map((value, i) => value + factorBias[i]! * value),
    b1: Float64Array.of(
      part('readout.0.bias', 1)[0]! + dot(bv, readWeight) + dot(outputBias.subarray(0, width), w),
    ),
  };
}

/**
 * Brings flat vectors of a foldable scorer to the folded layout, which is the one that scores; folded ones get their scales.
 * Entries of A and G are evolved √E times larger than they are.
 */
export function foldedVector(config: NAMMConfig, flat: ArrayLike<number>): Float32Array {
  const width = featureWidth(config);
  if (config.parameterisation === 'folded') {
    const scale = 1 / Math.sqrt(width);
    const square = width * width;
    const startOfG = square + 2 * width;
    return Float32Array.from(flat, (value, i) =>
      i < square || (i >= startOfG && i < startOfG + square) ? value * scale : value,
    );
  }
  const { A, c, u, G, w1, b1 } = foldParameters(config, flat);
  const threshold = unpack(config, flat).get('logThreshold') ?? [];
  return Float32Array.from([...A, ...c, ...u, ...G, ...w1, ...b1, ...threshold]);
}

/**
 * The same scores from folded tensors: features are keys and values themselves,
 * score = X w1 + Y u + Σ (Y G) ∘ X + b1 with Y = softmax((X A + c) Xᵀ) X.
 * @returns `[batch, heads, tokens]`
 */
export function foldedScores(
  { bam }: NAMMConfig,
  tensors: ScorerTensors,
  { features, valid }: TokenView,
  tile = TILE,
): tf.Tensor {
  const { maskingStrategy, window } = bam;
  const query = tf.add(tf.matMul(features, tensors('A')!), tensors('c')!);
  const read = attendAmongTokens(query, features, features, {
    ...{ maskingStrategy, window, tile },
    ...(valid && { hidden: hiddenTokens(valid) }),
  });
  const column = (name: string) => tf.transpose(tensors(name)!, [0, 1, 3, 2]);
  const own = tf.matMul(features, column('w1'));
  const added = tf.matMul(read, column('u'));
  const multiplied = tf.sum(tf.mul(tf.matMul(read, tensors('G')!), features), 3, true);
  const scores = tf.add(tf.add(tf.add(own, added), multiplied), tensors('b1')!);
  return tf.reshape(scores, scores.shape.slice(0, -1));
}
