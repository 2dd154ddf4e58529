import { InputError, sizeOf } from '@palimpsest/base';
import { defineOp } from './op.js';
import type { tf } from './tf.js';
import { binary, cast, reshape, slice } from './trace/emit.js';
import type { GraphBuilder, Value } from './trace/graph.js';

// Two rounds of a multiply-xorshift hash of (element number, key). The multipliers stay below 2^31, so that products of
// 32-bit words fit into a signed 64-bit integer and every engine computes the same bits.
const STRIDE = 0x1e3779b9;
const ROUND = [0x7feb352d, 0x5bd1e995] as const;
const WORD = 2 ** 32;

const draw = defineOp<{ shape: readonly number[] }>({
  name: 'KeyedUniform',
  infer: ([key], { shape }) => {
    if (key?.dtype !== 'int32' || sizeOf(key.shape) !== 2) {
      throw new InputError(
        `A random key has two int32 numbers, but this one has shape [${key?.shape.join(', ')}].`,
      );
    }
    return [{ shape, dtype: 'float32' }];
  },
  compute: ([key], { shape }) => {
    const words = [key!.data[0]! >>> 0, key!.data[1]! >>> 0] as const;
    const result = new Float32Array(sizeOf(shape));
    for (let i = 0; i < result.length; i++) result[i] = hash(i, words) / 2 ** 24;
    return [result];
  },
  trace: (graph, [key], { shape }) => [traceDraw(graph, key!, shape)],
});

function mix(word: number): number {
  let x = word ^ (word >>> 16);
  x = Math.imul(x, ROUND[0]);
  x ^= x >>> 15;
  x = Math.imul(x, ROUND[1]);
  return (x ^ (x >>> 16)) >>> 0;
}

/** 24 random bits of one element. */
function hash(index: number, [first, second]: readonly [number, number]): number {
  const start = (Math.imul(index, STRIDE) + first) >>> 0;
  return mix((mix(start) + second) >>> 0) >>> 8;
}

function traceDraw(graph: GraphBuilder, key: Value, shape: readonly number[]): Value {
  const count = sizeOf(shape);
  const int64 = (value: number) => reshape(graph, graph.int64([value]), []);
  const low = (x: Value) => binary(graph, 'BitwiseAnd', x, int64(WORD - 1));
  const shifted = (x: Value, bits: number) => binary(graph, 'Div', x, int64(2 ** bits));
  const xorShift = (x: Value, bits: number) => binary(graph, 'BitwiseXor', x, shifted(x, bits));
  const times = (x: Value, factor: number) => low(binary(graph, 'Mul', x, int64(factor)));
  const mixed = (x: Value) => xorShift(times(xorShift(times(xorShift(x, 16), ROUND[0]), 15), ROUND[1]), 16);
  const words = low(cast(graph, reshape(graph, key, [2]), 'int64'));
  const index = graph.node('Range', [int64(0), int64(count), int64(1)], { shape: [count], dtype: 'int64' });
  const start = low(binary(graph, 'Add', times(index, STRIDE), slice(graph, words, [0], [1])));
  const bits = shifted(mixed(low(binary(graph, 'Add', mixed(start), slice(graph, words, [1], [1])))), 8);
  const uniform = binary(graph, 'Mul', cast(graph, bits, 'float32'), graph.scalar(2 ** -24));
  return reshape(graph, uniform, shape);
}

/**
 * Uniform draws in [0, 1) on a grid of 2^-24, as a pure function of a key: the same numbers on every engine, so that
 * dropout and corruption can be reproduced and resumed.
 * @param key int32 `[2]`, from `Rng.key()`.
 * @param shape shape of the result; element i depends on the key and on i alone.
 */
export function keyedUniform(key: tf.Tensor, shape: readonly number[]): tf.Tensor {
  return draw([key], { shape })[0]!;
}
