import { tf } from '../tf.js';

let registered = false;

/** Swaps the last two axes. */
function swap(x: tf.Tensor): tf.Tensor {
  const axes = x.shape.map((_, axis) => axis);
  const rank = axes.length;
  axes[rank - 1] = rank - 2;
  axes[rank - 2] = rank - 1;
  return tf.transpose(x, axes);
}

/** Sums a gradient over the axes along which its operand was broadcast. */
function unbroadcast(gradient: tf.Tensor, shape: readonly number[]): tf.Tensor {
  const extra = gradient.rank - shape.length;
  const axes = gradient.shape.flatMap((extent, axis) => {
    const own = shape[axis - extra];
    return axis < extra || (own === 1 && extent !== 1) ? [axis] : [];
  });
  return axes.length === 0 ? gradient : tf.reshape(tf.sum(gradient, axes), [...shape]);
}

/**
 * Replaces TensorFlow.js' gradient of `matMul`: its own uses transpose flags, which the wasm backend runs about ten
 * times slower than explicit transposes, and it ignores broadcasting of leading axes.
 */
export function registerGradients(): void {
  if (registered) return;
  registered = true;
  tf.unregisterGradient('BatchMatMul');
  tf.registerGradient({
    kernelName: 'BatchMatMul',
    inputsToSave: ['a', 'b'],
    gradFunc: (dy, saved, attrs) => {
      const [a, b] = saved as [tf.Tensor, tf.Tensor];
      const gradient = dy as tf.Tensor;
      const { transposeA, transposeB } = attrs as unknown as { transposeA: boolean; transposeB: boolean };
      const left = () => (transposeA ? swap(a) : a);
      const right = () => (transposeB ? swap(b) : b);
      return {
        a: () => {
          const result = unbroadcast(
            tf.matMul(gradient, swap(right())),
            transposeA ? swapShape(a.shape) : a.shape,
          );
          return transposeA ? swap(result) : result;
        },
        b: () => {
          const result = unbroadcast(
            tf.matMul(swap(left()), gradient),
            transposeB ? swapShape(b.shape) : b.shape,
          );
          return transposeB ? swap(result) : result;
        },
      };
    },
  });
  registerBroadcastingGradients();
  registerCumsumGradient();
  registerMirrorPadGradient();
  registerSplitGradients();
  registerElementaryGradients();
  registerExtremaGradients();
}

/** TensorFlow.js gives the whole gradient of a maximum to each of the elements that share it; here they divide it. */
function registerExtremaGradients(): void {
  for (const [kernelName, attribute] of [
    ['Max', 'reductionIndices'],
    ['Min', 'axis'],
  ] as const) {
    tf.unregisterGradient(kernelName);
    tf.registerGradient({
      kernelName,
      inputsToSave: ['x'],
      outputsToSave: [true],
      gradFunc: (dy, saved, attrs) => {
        const [x, y] = saved as [tf.Tensor, tf.Tensor];
        const reduced = attrs![attribute] as number | number[];
        const axes = tf.util.parseAxisParam(reduced, x.shape);
        const kept = x.shape.map((extent, axis) => (axes.includes(axis) ? 1 : extent));
        return {
          x: () => {
            const best = tf.cast(tf.equal(x, tf.reshape(y, kept)), 'float32');
            return tf.mul(best, tf.div(tf.reshape(dy as tf.Tensor, kept), tf.sum(best, axes, true)));
          },
        };
      },
    });
  }
}

/** TensorFlow.js expects a list of gradients from ops that give lists, but passes on a single one by itself. */
function registerSplitGradients(): void {
  const listOf = (dy: tf.Tensor | tf.Tensor[]) => (Array.isArray(dy) ? dy : [dy]);
  const replace = (kernelName: string, name: string, join: (dy: tf.Tensor[], axis: number) => tf.Tensor) => {
    tf.unregisterGradient(kernelName);
    tf.registerGradient({
      kernelName,
      gradFunc: (dy, _saved, attrs) => {
        const { axis } = attrs as unknown as { axis: number };
        return { [name]: () => join(listOf(dy), axis) };
      },
    });
  };
  replace('Unpack', 'value', (dy, axis) => tf.stack(dy, axis));
  replace('SplitV', 'x', (dy, axis) => tf.concat(dy, axis));
}

/** Slopes of functions of one input, where TensorFlow.js' own are wrong, lose their digits or overflow. */
const SLOPES: Readonly<Record<string, (x: tf.Tensor) => tf.Tensor>> = {
  // TensorFlow.js says -1 at 0, which pushes weights that are 0 away from it.
  Abs: (x) => tf.sign(x),
  // From the output y, as TensorFlow.js does, y + 1 is 0 from -17 down.
  Elu: (x) => tf.exp(tf.minimum(x, 0)),
  // 1 - x² cancels near ±1, (1 - x)(1 + x) does not.
  Asin: (x) => tf.rsqrt(tf.mul(tf.sub(1, x), tf.add(1, x))),
  Acos: (x) => tf.neg(tf.rsqrt(tf.mul(tf.sub(1, x), tf.add(1, x)))),
  Atanh: (x) => tf.reciprocal(tf.mul(tf.sub(1, x), tf.add(1, x))),
  // Squares of large numbers overflow, products of roots do not.
  Acosh: (x) => tf.mul(tf.rsqrt(tf.sub(x, 1)), tf.rsqrt(tf.add(x, 1))),
  Asinh: (x) => {
    const size = tf.maximum(tf.abs(x), 1);
    const ratio = tf.div(x, size);
    return tf.div(tf.rsqrt(tf.add(tf.square(ratio), tf.square(tf.reciprocal(size)))), size);
  },
};

function registerElementaryGradients(): void {
  for (const [kernelName, slope] of Object.entries(SLOPES)) {
    tf.unregisterGradient(kernelName);
    tf.registerGradient({
      kernelName,
      inputsToSave: ['x'],
      gradFunc: (dy, [x]) => ({ x: () => tf.mul(dy as tf.Tensor, slope(x!)) }),
    });
  }
}

type Pair = (dy: tf.Tensor, a: tf.Tensor, b: tf.Tensor) => tf.Tensor;

/** TensorFlow.js forgets to sum these gradients over broadcast axes. */
function registerBroadcastingGradients(): void {
  const replace = (kernelName: string, toA: Pair, toB: Pair) => {
    tf.unregisterGradient(kernelName);
    tf.registerGradient({
      kernelName,
      inputsToSave: ['a', 'b'],
      gradFunc: (dy, saved) => {
        const [a, b] = saved as [tf.Tensor, tf.Tensor];
        return {
          a: () => unbroadcast(toA(dy as tf.Tensor, a, b), a.shape),
          b: () => unbroadcast(toB(dy as tf.Tensor, a, b), b.shape),
        };
      },
    });
  };
  const where = (dy: tf.Tensor, condition: tf.Tensor) => tf.mul(dy, tf.cast(condition, 'float32'));
  replace(
    'Maximum',
    (dy, a, b) => where(dy, tf.greaterEqual(a, b)),
    (dy, a, b) => where(dy, tf.less(a, b)),
  );
  replace(
    'Minimum',
    (dy, a, b) => where(dy, tf.lessEqual(a, b)),
    (dy, a, b) => where(dy, tf.greater(a, b)),
  );
  replace(
    'SquaredDifference',
    (dy, a, b) => tf.mul(dy, tf.mul(2, tf.sub(a, b))),
    (dy, a, b) => tf.mul(dy, tf.mul(2, tf.sub(b, a))),
  );
}

/** TensorFlow.js permutes the gradient of a cumulative sum wrongly unless the axis is the last one. */
function registerCumsumGradient(): void {
  tf.unregisterGradient('Cumsum');
  tf.registerGradient({
    kernelName: 'Cumsum',
    gradFunc: (dy, _saved, attrs) => {
      const { axis, exclusive, reverse } = attrs as unknown as {
        axis: number;
        exclusive: boolean;
        reverse: boolean;
      };
      return { x: () => tf.cumsum(dy as tf.Tensor, axis, exclusive, !reverse) };
    },
  });
}

const swapShape = (shape: readonly number[]) => [...shape.slice(0, -2), shape.at(-1)!, shape.at(-2)!];

/** TensorFlow.js' own gradient of a mirrored padding forgets the mirrored parts. */
function registerMirrorPadGradient(): void {
  tf.unregisterGradient('MirrorPad');
  tf.registerGradient({
    kernelName: 'MirrorPad',
    inputsToSave: ['x'],
    gradFunc: (dy, saved, attrs) => {
      const [x] = saved as [tf.Tensor];
      const { paddings, mode } = attrs as unknown as { paddings: [number, number][]; mode: string };
      return {
        x: () =>
          paddings.reduce(
            (gradient, [before, after], axis) =>
              foldMirror(gradient, axis, x.shape[axis]!, before, after, mode),
            dy as tf.Tensor,
          ),
      };
    },
  });
}

/** Adds the gradients of mirrored copies along one axis back to the elements they were copied from. */
function foldMirror(
  gradient: tf.Tensor,
  axis: number,
  extent: number,
  before: number,
  after: number,
  mode: string,
): tf.Tensor {
  if (before === 0 && after === 0) return gradient;
  const offset = mode === 'reflect' ? 0 : 1;
  const sources = Int32Array.from({ length: before + extent + after }, (_, position) => {
    const index = position - before;
    if (index < 0) return -index - offset;
    return index >= extent ? 2 * (extent - 1) - index + offset : index;
  });
  const order = gradient.shape.map((_, index) => index);
  const toFront = [axis, ...order.filter((index) => index !== axis)];
  const back = order.map((index) => toFront.indexOf(index));
  const summed = tf.unsortedSegmentSum(
    tf.transpose(gradient, toFront),
    tf.tensor1d(sources, 'int32'),
    extent,
  );
  return tf.transpose(summed, back);
}
