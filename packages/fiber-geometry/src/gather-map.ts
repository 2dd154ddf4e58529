import { defineOp, type GraphBuilder, sizeOf, type tf, type Value } from '@palimpsest/tensor-core';

/** One entry per output along the mapped axis: `source[j]` is an input entry, or -1 for zero; `sign[j]` multiplies it. */
interface Selection {
  readonly source: Int32Array;
  readonly sign: Float32Array;
}

interface GatherAttributes {
  readonly axis: number;
  /** The map is the sum of these selections. */
  readonly selections: readonly Selection[];
  /** The transposed map. */
  readonly transposed: readonly Selection[];
}

const extentAfter = ({ selections }: GatherAttributes) => selections[0]!.source.length;

/** `[outer, extent, inner]` view of a shape around an axis. */
function blocks(shape: readonly number[], axis: number): { outer: number; extent: number; inner: number } {
  return {
    outer: sizeOf(shape.slice(0, axis)),
    extent: shape[axis]!,
    inner: sizeOf(shape.slice(axis + 1)),
  };
}

/** Adds the selected, signed entries of `data` to `out`. */
export function addSelected(
  data: ArrayLike<number>,
  out: Float32Array,
  shape: readonly number[],
  { axis, selections }: Pick<GatherAttributes, 'axis' | 'selections'>,
): void {
  const { outer, extent, inner } = blocks(shape, axis);
  for (const { source, sign } of selections) {
    const outputs = source.length;
    for (let block = 0; block < outer; block++) {
      for (let j = 0; j < outputs; j++) {
        const from = source[j]!;
        if (from < 0) continue;
        const factor = sign[j]!;
        const read = (block * extent + from) * inner;
        const write = (block * outputs + j) * inner;
        for (let i = 0; i < inner; i++) out[write + i]! += factor * data[read + i]!;
      }
    }
  }
}

function traceSelection(
  graph: GraphBuilder,
  input: Value,
  { source, sign }: Selection,
  axis: number,
  shape: readonly number[],
): Value {
  const present = source.map((index) => Math.max(index, 0));
  const indices = graph.constant(present, [source.length], 'int32');
  const gathered = graph.node('Gather', [input, indices], { shape, dtype: 'float32' }, { axis });
  const factors = sign.map((factor, j) => (source[j]! < 0 ? 0 : factor));
  if (factors.every((factor) => factor === 1)) return gathered;
  const factorShape = shape.map((_, dimension) => (dimension === axis ? source.length : 1));
  const constant = graph.constant(factors, factorShape, 'float32');
  return graph.node('Mul', [gathered, constant], { shape, dtype: 'float32' });
}

/** Largest product of extents for which a product with a 0/±1 matrix replaces element-wise gathers in a graph. */
const LARGEST_MATRIX = 2 ** 17;

/** The map as a matrix, for a small last axis: gathering single numbers costs ONNX Runtime 40 ns each. */
function selectionMatrix(
  shape: readonly number[],
  attributes: GatherAttributes,
): { data: Float32Array; shape: readonly number[] } | undefined {
  const [inputs, outputs] = [shape[attributes.axis]!, extentAfter(attributes)];
  if (attributes.axis !== shape.length - 1 || inputs * outputs > LARGEST_MATRIX) return undefined;
  const data = new Float32Array(inputs * outputs);
  for (const { source, sign } of attributes.selections) {
    source.forEach((from, j) => {
      if (from >= 0) data[from * outputs + j]! += sign[j]!;
    });
  }
  return { data, shape: [inputs, outputs] };
}

const shapeAfter = (shape: readonly number[], attributes: GatherAttributes) =>
  shape.map((extent, dimension) => (dimension === attributes.axis ? extentAfter(attributes) : extent));

/**
 * A sum of signed gathers. Its gradient is the transposed sum of gathers; the built-in gradient of `gather` costs
 * (segments x size) on eager backends.
 */
const signedGather: ReturnType<typeof defineOp<GatherAttributes>> = defineOp<GatherAttributes>({
  name: 'fiberSignedGather',
  infer: ([input], attributes) => [{ shape: shapeAfter(input!.shape, attributes), dtype: 'float32' }],
  compute: ([input], attributes) => {
    const out = new Float32Array(sizeOf(shapeAfter(input!.shape, attributes)));
    addSelected(input!.data, out, input!.shape, attributes);
    return [out];
  },
  trace: (graph, [input], attributes) => {
    const shape = shapeAfter(input!.shape, attributes);
    const matrix = selectionMatrix(input!.shape, attributes);
    if (matrix) {
      const constant = graph.constant(matrix.data, matrix.shape, 'float32');
      return [graph.node('MatMul', [input, constant], { shape, dtype: 'float32' })];
    }
    const terms = attributes.selections.map((selection) =>
      traceSelection(graph, input!, selection, attributes.axis, shape),
    );
    return [terms.reduce((sum, term) => graph.node('Add', [sum, term], { shape, dtype: 'float32' }))];
  },
  gradient: ({ outputGradients, attributes: { axis, selections, transposed } }) =>
    signedGather(outputGradients, { axis, selections: transposed, transposed: selections }),
});

/** A sparse linear map that copies, negates or drops entries along one axis, with its adjoint. */
export class GatherMap {
  readonly #forward: readonly Selection[];
  readonly #adjoint: readonly Selection[];

  /**
   * @param inputs extent of the axis before the map.
   * @param source input entry per output, -1 for zero.
   * @param sign factor per output; default 1.
   */
  constructor(inputs: number, source: ArrayLike<number>, sign?: ArrayLike<number>) {
    const forward = {
      source: Int32Array.from(source),
      sign: sign ? Float32Array.from(sign) : new Float32Array(source.length).fill(1),
    };
    this.#forward = [forward];
    this.#adjoint = transposeSelection(inputs, forward);
  }

  /** Applies the map along `axis`. */
  apply(x: tf.Tensor, axis: number): tf.Tensor {
    return signedGather([x], { axis, selections: this.#forward, transposed: this.#adjoint })[0]!;
  }

  /** Applies the transposed map along `axis`. */
  applyAdjoint(y: tf.Tensor, axis: number): tf.Tensor {
    return signedGather([y], { axis, selections: this.#adjoint, transposed: this.#forward })[0]!;
  }

  /** `apply` along the first axis of host data. */
  onHost(data: Float32Array, shape: readonly number[]): Float32Array {
    return selectedOnHost(data, shape, this.#forward);
  }

  /** `applyAdjoint` along the first axis of host data. */
  adjointOnHost(data: Float32Array, shape: readonly number[]): Float32Array {
    return selectedOnHost(data, shape, this.#adjoint);
  }
}

function selectedOnHost(
  data: Float32Array,
  shape: readonly number[],
  selections: readonly Selection[],
): Float32Array {
  const out = new Float32Array(selections[0]!.source.length * sizeOf(shape.slice(1)));
  addSelected(data, out, shape, { axis: 0, selections });
  return out;
}

function transposeSelection(inputs: number, forward: Selection): Selection[] {
  const selections: Selection[] = [];
  const used = new Int32Array(inputs);
  forward.source.forEach((input, output) => {
    if (input < 0) return;
    const level = used[input]!++;
    selections[level] ??= { source: new Int32Array(inputs).fill(-1), sign: new Float32Array(inputs) };
    selections[level].source[input] = output;
    selections[level].sign[input] = forward.sign[output]!;
  });
  return selections;
}
