import { bfloatsToFloats, formatShape, halvesToFloats, InputError } from '@palimpsest/base';
import { defineOp } from '../op.js';
import type { StoredArray } from '../stored-array.js';
import { tf } from '../tf.js';
import { ONNX_TYPE } from '../trace/emit.js';
import type { GraphBuilder, Value } from '../trace/graph.js';

/** A frozen matrix `[outputs, inputs]` in a file, of 32 or 16 bits; products are computed in single precision. */
export class StoredMatrix {
  readonly outputs: number;
  readonly inputs: number;

  /** @throws InputError for an array that is no matrix of floating numbers. */
  constructor(readonly array: StoredArray) {
    const { shape, dtype } = array;
    if (shape.length !== 2 || dtype === 'uint8') {
      throw new InputError(
        `A stored matrix has two axes of floating numbers, but got ${dtype} ${formatShape(shape)}.`,
      );
    }
    [this.outputs, this.inputs] = shape as [number, number];
  }

  /** Bytes in the file. */
  get byteLength(): number {
    return this.array.byteLength;
  }

  /** Copies rows to memory, `[rows, inputs]`. */
  rows(from = 0, rows = this.outputs - from): Float32Array {
    const { buffer } = this.array.read(from, rows);
    if (this.array.dtype === 'float32') return new Float32Array(buffer);
    const bits = new Uint16Array(buffer);
    return this.array.dtype === 'bfloat16' ? bfloatsToFloats(bits) : halvesToFloats(bits);
  }
}

interface Attributes {
  readonly matrix: StoredMatrix;
}

/** The numbers of a value in single precision. */
function widened(graph: GraphBuilder, value: Value): Value {
  if (value.dtype === 'float32') return value;
  return graph.node('Cast', [value], { shape: value.shape, dtype: 'float32' }, { to: ONNX_TYPE.float32 });
}

/** Bytes of weights that a product on the host holds at once. */
const PIECE_BYTES = 2 ** 24;

/** Visits a matrix in pieces of some rows each. */
function eachPiece(matrix: StoredMatrix, visit: (piece: Float32Array, first: number) => void): void {
  const { outputs, inputs } = matrix;
  const most = Math.max(1, Math.floor(PIECE_BYTES / (4 * inputs)));
  for (let first = 0; first < outputs; first += most) {
    visit(matrix.rows(first, Math.min(most, outputs - first)), first);
  }
}

/** Rows `[rows, out]` times the matrix itself: what reaches the inputs of a product from behind. */
const backward = defineOp<Attributes>({
  name: 'StoredProductBackward',
  infer: ([rows], { matrix }) => [{ shape: [rows!.shape[0]!, matrix.inputs], dtype: 'float32' }],
  compute: ([rows], { matrix }) => {
    const { outputs, inputs } = matrix;
    const count = rows!.shape[0]!;
    const sums = new Float64Array(count * inputs);
    eachPiece(matrix, (piece, first) => {
      for (let row = 0; row < count; row++) {
        for (let at = 0; at < piece.length / inputs; at++) {
          const factor = rows!.data[row * outputs + first + at]!;
          for (let i = 0; i < inputs; i++) sums[row * inputs + i]! += factor * piece[at * inputs + i]!;
        }
      }
    });
    return [Float32Array.from(sums)];
  },
  trace: (graph, [rows], { matrix }) => {
    const weight = widened(graph, graph.stored(matrix.array));
    const shape = [rows!.shape[0]!, matrix.inputs];
    return [graph.node('Gemm', [rows!, weight], { shape, dtype: 'float32' })];
  },
});

const product = defineOp<Attributes>({
  name: 'StoredProduct',
  infer: ([rows], { matrix }) => [{ shape: [...rows!.shape.slice(0, -1), matrix.outputs], dtype: 'float32' }],
  compute: ([rows, added], { matrix }) => {
    const { outputs, inputs } = matrix;
    const count = rows!.data.length / inputs;
    const result = new Float32Array(count * outputs);
    eachPiece(matrix, (piece, first) => {
      for (let at = 0; at < piece.length / inputs; at++) {
        for (let row = 0; row < count; row++) {
          let sum = 0;
          for (let i = 0; i < inputs; i++) sum += rows!.data[row * inputs + i]! * piece[at * inputs + i]!;
          result[row * outputs + first + at] = sum;
        }
      }
    });
    for (let i = 0; added && i < result.length; i++) result[i]! += added.data[i % added.data.length]!;
    return [result];
  },
  trace: (graph, [rows, added], { matrix }) => {
    const weight = widened(graph, graph.stored(matrix.array));
    const result = { shape: [...rows!.shape.slice(0, -1), matrix.outputs], dtype: 'float32' as const };
    if (rows!.shape.length > 2) {
      const columns = { shape: [matrix.inputs, matrix.outputs], dtype: 'float32' as const };
      const turned = graph.node('Transpose', [weight], columns, { perm: [1, 0] });
      const plain = graph.node('MatMul', [rows, turned], result);
      return [added ? graph.node('Add', [plain, added], result) : plain];
    }
    const inputs = added ? [rows, weight, added] : [rows, weight];
    return [graph.node('Gemm', inputs, result, { transB: 1 })];
  },
  gradient: ({ outputGradients: [dy], inputs: [rows, added], attributes: { matrix } }) => {
    const flat = tf.reshape(dy!, [-1, matrix.outputs]);
    const toRows = tf.reshape(backward([flat], { matrix })[0]!, rows!.shape);
    if (!added) return [toRows];
    return [toRows, added.rank === rows!.rank ? dy! : tf.sum(flat, 0)];
  },
});

/**
 * Affine map of the last axis by a matrix in a file, y = x Wᵀ + b. Gradients reach x and b; the matrix is frozen.
 * @param x `[..., in]`
 * @param added `[out]`, or for an x of two axes or more `[..., out]`
 * @returns `[..., out]`
 * @throws InputError when the shapes do not fit.
 */
export function storedLinear(x: tf.Tensor, matrix: StoredMatrix, added?: tf.Tensor): tf.Tensor {
  const { inputs, outputs } = matrix;
  if (x.rank === 0 || x.shape.at(-1) !== inputs) {
    throw new InputError(
      `A stored matrix [${outputs}, ${inputs}] needs inputs [..., ${inputs}], but got ${formatShape(x.shape)}.`,
    );
  }
  const rows = x.rank === 1 ? tf.reshape(x, [1, inputs]) : x;
  const result = product(added ? [rows, added] : [rows], { matrix })[0]!;
  return x.rank === 1 ? tf.reshape(result, [outputs]) : result;
}

const lookup = defineOp<Attributes>({
  name: 'StoredEmbedding',
  infer: ([ids], { matrix }) => [{ shape: [...ids!.shape, matrix.inputs], dtype: 'float32' }],
  compute: ([ids], { matrix }) => {
    const result = new Float32Array(ids!.data.length * matrix.inputs);
    ids!.data.forEach((id, place) => {
      result.set(matrix.rows(id, 1), place * matrix.inputs);
    });
    return [result];
  },
  trace: (graph, [ids], { matrix }) => {
    const table = graph.stored(matrix.array);
    const shape = [...ids!.shape, matrix.inputs];
    return [widened(graph, graph.node('Gather', [table, ids], { shape, dtype: table.dtype }, { axis: 0 }))];
  },
});

/**
 * Rows of a table in a file.
 * @param ids int32 `[...]`, each in [0, outputs)
 * @returns `[..., inputs]`
 */
export function storedEmbedding(matrix: StoredMatrix, ids: tf.Tensor): tf.Tensor {
  return lookup([ids], { matrix })[0]!;
}
