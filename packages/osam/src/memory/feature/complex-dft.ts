import { Fft } from '@palimpsest/sketch';
import { defineOp, type GraphBuilder, InputError, tf, type Value } from '@palimpsest/tensor-core';

interface DftAttributes {
  readonly inverse: boolean;
}

type Transform = (inputs: readonly tf.Tensor[], attributes: DftAttributes) => tf.Tensor[];

/** Sizes up to this are transformed by a matrix when they are no power of two: the runtime loses digits there. */
const MATRIX_LIMIT = 512;
const usesMatrix = (length: number) => (length & (length - 1)) !== 0 && length <= MATRIX_LIMIT;

function traceAsDft(graph: GraphBuilder, x: Value, count: number, length: number, inverse: boolean): Value {
  const rows = { shape: [count, length, 2], dtype: 'float32' } as const;
  const flat = graph.node('Reshape', [x, graph.int64(rows.shape)], rows);
  return graph.node('DFT', [flat], rows, { inverse: inverse ? 1 : 0 });
}

function traceAsMatrix(
  graph: GraphBuilder,
  x: Value,
  count: number,
  length: number,
  inverse: boolean,
): Value {
  const rows = { shape: [count, 2 * length], dtype: 'float32' } as const;
  const flat = graph.node('Reshape', [x, graph.int64(rows.shape)], rows);
  const matrix = graph.constant(transformMatrix(length, inverse), [2 * length, 2 * length], 'float32');
  return graph.node('MatMul', [flat, matrix], rows);
}

/** The transform of interleaved complex rows as a real matrix, row-major [2 m, 2 m]. */
function transformMatrix(length: number, inverse: boolean): Float32Array {
  const matrix = new Float32Array(4 * length * length);
  const scale = inverse ? 1 / length : 1;
  for (let from = 0; from < length; from++) {
    for (let to = 0; to < length; to++) {
      const angle = ((inverse ? 2 : -2) * Math.PI * ((from * to) % length)) / length;
      const [re, im] = [scale * Math.cos(angle), scale * Math.sin(angle)];
      matrix.set([re, im], 2 * from * 2 * length + 2 * to);
      matrix.set([-im, re], (2 * from + 1) * 2 * length + 2 * to);
    }
  }
  return matrix;
}

const transform: Transform = defineOp<DftAttributes>({
  name: 'ComplexDft',
  infer: ([x]) => {
    if (!x || x.shape.length < 2 || x.shape[x.shape.length - 1] !== 2) {
      throw new InputError(
        `A complex signal ends in an axis of 2 (real, imaginary), but this one has shape [${x?.shape.join(', ')}].`,
      );
    }
    return [{ shape: x.shape, dtype: 'float32' }];
  },
  compute: ([x], { inverse }) => {
    const length = x!.shape[x!.shape.length - 2]!;
    const fft = Fft.plan(length);
    const result = new Float32Array(x!.data.length);
    const row = new Float64Array(2 * length);
    const spectrum = new Float64Array(2 * length);
    for (let from = 0; from < result.length; from += 2 * length) {
      row.set(x!.data.subarray(from, from + 2 * length));
      if (inverse) fft.inverse(row, spectrum);
      else fft.forward(row, spectrum);
      result.set(spectrum, from);
    }
    return [result];
  },
  trace: (graph, [x], { inverse }) => {
    const { shape } = x!;
    const length = shape[shape.length - 2]!;
    // ONNX counts one batch axis, the signal axis and the axis of the two parts.
    const count = shape.slice(0, -2).reduce((a, b) => a * b, 1);
    const transformed = usesMatrix(length) ? traceAsMatrix : traceAsDft;
    return [
      graph.node('Reshape', [transformed(graph, x!, count, length, inverse), graph.int64(shape)], {
        shape,
        dtype: 'float32',
      }),
    ];
  },
  // The adjoint of F is m times the inverse transform, that of the inverse is F / m.
  gradient: ({ outputGradients, attributes: { inverse } }) => {
    const dy = outputGradients[0]!;
    const length = dy.shape[dy.rank - 2]!;
    return [tf.mul(transform([dy], { inverse: !inverse })[0]!, inverse ? 1 / length : length)];
  },
});

/**
 * Discrete Fourier transform over the last axis but one of signals stored as real and imaginary parts.
 * @param x [..., m, 2].
 * @param inverse the inverse, which carries the factor 1 / m.
 */
export function complexDft(x: tf.Tensor, inverse = false): tf.Tensor {
  return transform([x], { inverse })[0]!;
}

/** Elementwise product of complex arrays [..., 2]. */
export function complexMultiply(a: tf.Tensor, b: tf.Tensor): tf.Tensor {
  const [aRe, aIm] = tf.split(a, 2, a.rank - 1) as [tf.Tensor, tf.Tensor];
  const [bRe, bIm] = tf.split(b, 2, b.rank - 1) as [tf.Tensor, tf.Tensor];
  const re = tf.sub(tf.mul(aRe, bRe), tf.mul(aIm, bIm));
  const im = tf.add(tf.mul(aRe, bIm), tf.mul(aIm, bRe));
  return tf.concat([re, im], re.rank - 1);
}

/** The real part of a complex array [..., 2], without the last axis. */
export function realPart(x: tf.Tensor): tf.Tensor {
  const size = [...x.shape.slice(0, -1), 1];
  return tf.reshape(
    tf.slice(
      x,
      size.map(() => 0),
      size,
    ),
    x.shape.slice(0, -1),
  );
}
