import { formatShape, InputError, sizeOf } from '@palimpsest/base';
import { defineOp } from '../op.js';
import { tf } from '../tf.js';
import { ONNX_TYPE } from '../trace/emit.js';
import type { GraphBuilder, Value } from '../trace/graph.js';
import { QUANTISED_BLOCK, type QuantisedMatrix } from './quantised-matrix.js';

interface Attributes {
  readonly matrix: QuantisedMatrix;
}

/** Sums of products in 8-bit integers, which processors add up fastest: activations are rounded to 8 bits per block. */
const INTEGER_SUMS = 4;

/** The product of rows and a packed matrix, one node. */
export function quantisedProduct(graph: GraphBuilder, rows: Value, matrix: QuantisedMatrix): Value {
  const { outputs, inputs, bits } = matrix;
  const { packed, scales } = constantsOf(graph, matrix);
  return graph.node(
    'MatMulNBits',
    [rows, packed, scales],
    { shape: [...rows.shape.slice(0, -1), outputs], dtype: 'float32' },
    { K: inputs, N: outputs, bits, block_size: QUANTISED_BLOCK, accuracy_level: INTEGER_SUMS },
    'com.microsoft',
  );
}

/** The constants of a matrix in a graph, made once for all nodes that read it. */
const constants = new WeakMap<GraphBuilder, WeakMap<QuantisedMatrix, { packed: Value; scales: Value }>>();

function constantsOf(graph: GraphBuilder, matrix: QuantisedMatrix): { packed: Value; scales: Value } {
  if (matrix.stored) {
    return { packed: graph.stored(matrix.stored.packed), scales: graph.stored(matrix.stored.scales) };
  }
  const made = constants.get(graph) ?? new WeakMap();
  constants.set(graph, made);
  const known = made.get(matrix);
  if (known) return known;
  const { outputs, blocks, blockBytes } = matrix;
  const values = {
    packed: graph.frozen(matrix.packed, [outputs, blocks, blockBytes], 'uint8'),
    scales: graph.frozen(matrix.scales, [outputs, blocks], 'float32'),
  };
  made.set(matrix, values);
  return values;
}

const product = defineOp<Attributes>({
  name: 'QuantisedProduct',
  infer: ([rows], { matrix }) => [{ shape: [...rows!.shape.slice(0, -1), matrix.outputs], dtype: 'float32' }],
  compute: ([rows], { matrix }) => {
    const { outputs, inputs } = matrix;
    const count = rows!.data.length / inputs;
    const result = new Float32Array(count * outputs);
    const weights = new Float32Array(inputs);
    for (let output = 0; output < outputs; output++) {
      matrix.row(output, weights);
      for (let row = 0; row < count; row++) {
        let sum = 0;
        for (let i = 0; i < inputs; i++) sum += rows!.data[row * inputs + i]! * weights[i]!;
        result[row * outputs + output] = sum;
      }
    }
    return [result];
  },
  trace: (graph, [rows], { matrix }) => [quantisedProduct(graph, rows!, matrix)],
});

/**
 * Affine map of the last axis by a quantised matrix, y = x Wᵀ + b. In graphs activations are rounded to 8 bits per block of
 * 32 as well; engines that run op by op compute with the matrix's values. It has no gradient.
 * @param x `[..., in]`
 * @param bias `[out]`
 * @returns `[..., out]`
 * @throws InputError when the shapes do not fit.
 */
export function quantisedLinear(x: tf.Tensor, matrix: QuantisedMatrix, bias?: tf.Tensor): tf.Tensor {
  const { inputs, outputs } = matrix;
  if (x.rank === 0 || x.shape.at(-1) !== inputs) {
    throw new InputError(
      `A quantised matrix [${outputs}, ${inputs}] needs inputs [..., ${inputs}], but got ${formatShape(x.shape)}.`,
    );
  }
  const rows = x.rank === 1 ? tf.reshape(x, [1, inputs]) : x;
  const plain = product([rows], { matrix })[0]!;
  const result = bias ? tf.add(plain, bias) : plain;
  return x.rank === 1 ? tf.reshape(result, [outputs]) : result;
}

const lookup = defineOp<Attributes>({
  name: 'QuantisedEmbedding',
  infer: ([ids], { matrix }) => [{ shape: [...ids!.shape, matrix.inputs], dtype: 'float32' }],
  compute: ([ids], { matrix }) => {
    const result = new Float32Array(ids!.data.length * matrix.inputs);
    ids!.data.forEach((id, place) => {
      matrix.row(id, result.subarray(place * matrix.inputs, (place + 1) * matrix.inputs));
    });
    return [result];
  },
  trace: (graph, [ids], { matrix }) => [tracedRows(graph, ids!, matrix)],
});

/** Rows of a table as standard nodes: bytes are gathered, become levels, and are scaled. */
function tracedRows(graph: GraphBuilder, ids: Value, matrix: QuantisedMatrix): Value {
  const { packed, scales } = constantsOf(graph, matrix);
  const { blocks, blockBytes, bits, inputs } = matrix;
  const rows = sizeOf(ids.shape);
  const float = (shape: readonly number[]) => ({ shape, dtype: 'float32' as const });
  const flat = graph.node('Reshape', [ids, graph.int64([-1])], { shape: [rows], dtype: ids.dtype });
  const bytes = graph.node(
    'Gather',
    [packed, flat],
    { shape: [rows, blocks, blockBytes], dtype: 'uint8' },
    { axis: 0 },
  );
  const scale = graph.node('Gather', [scales, flat], float([rows, blocks]), { axis: 0 });
  const numbers = (value: Value) =>
    graph.node('Cast', [value], float(value.shape), { to: ONNX_TYPE.float32 });
  const whole = [rows, blocks, QUANTISED_BLOCK];
  const stored = bits === 8 ? numbers(bytes) : nibbles(graph, bytes, numbers, whole);
  const levels = graph.node('Sub', [stored, graph.scalar(2 ** (bits - 1))], float(whole));
  const column = graph.node('Reshape', [scale, graph.int64([-1, blocks, 1])], float([rows, blocks, 1]));
  const scaled = graph.node('Mul', [levels, column], float(whole));
  const width = blocks * QUANTISED_BLOCK;
  const table = graph.node('Reshape', [scaled, graph.int64([-1, width])], float([rows, width]));
  const cut =
    width === inputs
      ? table
      : graph.node(
          'Slice',
          [table, graph.int64([0]), graph.int64([inputs]), graph.int64([1])],
          float([rows, inputs]),
        );
  const shape = [...ids.shape, inputs];
  const given = shape.map((extent, axis) => (axis === ids.freeAxis ? -1 : extent));
  return graph.node('Reshape', [cut, graph.int64(given)], float(shape));
}

/** Low and high halves of bytes side by side. */
function nibbles(
  graph: GraphBuilder,
  bytes: Value,
  numbers: (value: Value) => Value,
  whole: readonly number[],
): Value {
  const byte = (value: number) => graph.frozen(Uint8Array.of(value), [], 'uint8');
  const low = graph.node('BitwiseAnd', [bytes, byte(15)], { shape: bytes.shape, dtype: 'uint8' });
  const high = graph.node(
    'BitShift',
    [bytes, byte(4)],
    { shape: bytes.shape, dtype: 'uint8' },
    { direction: 'RIGHT' },
  );
  const pairs = [low, high].map((half) =>
    graph.node('Reshape', [numbers(half), graph.int64([-1, ...bytes.shape.slice(1), 1])], {
      shape: [...bytes.shape, 1],
      dtype: 'float32',
    }),
  );
  const joined = graph.node('Concat', pairs, { shape: [...bytes.shape, 2], dtype: 'float32' }, { axis: 3 });
  return graph.node('Reshape', [joined, graph.int64([-1, ...whole.slice(1)])], {
    shape: whole,
    dtype: 'float32',
  });
}

/**
 * Rows of a quantised table.
 * @param ids int32 `[...]`, each in [0, outputs)
 * @returns `[..., inputs]`
 */
export function quantisedEmbedding(matrix: QuantisedMatrix, ids: tf.Tensor): tf.Tensor {
  return lookup([ids], { matrix })[0]!;
}
