import { type DType, type NDArray, sizeOf, tf } from '../../src/index.js';
import { at, broadcast, float, int, type KernelCase, places, sample, told } from './kernel-case.js';

type Place = readonly number[];
const DTYPES: readonly DType[] = ['float32', 'int32', 'bool'];

/** A case whose result takes each of its values from one place of the input. */
function moved(
  kernel: string,
  x: NDArray,
  run: (x: tf.Tensor) => tf.Tensor,
  shape: readonly number[],
  from: (place: Place) => Place,
): KernelCase {
  return {
    kernel,
    name: `${kernel} ${x.dtype} [${x.shape}] to [${shape}]`,
    inputs: [x],
    run: ([input]) => run(input!),
    expected: [told(x.dtype, shape, (place) => at(x, from(place)))],
  };
}

/** A place of another shape with as many elements. */
function reshaped(shape: readonly number[], other: readonly number[]): (place: Place) => Place {
  const others = places(other);
  return (place) => others[shape.reduce((flat, extent, axis) => flat * extent + place[axis]!, 0)]!;
}

function reshapeCases(dtype: DType): KernelCase[] {
  const x = sample(dtype, [2, 3, 4]);
  const one = sample(dtype, [1, 1]);
  const empty = sample(dtype, [0, 3]);
  const line = (
    array: NDArray,
    shape: readonly number[],
    run: (x: tf.Tensor) => tf.Tensor,
    kernel = 'Reshape',
  ) => moved(kernel, array, run, shape, reshaped(shape, array.shape));
  return [
    line(x, [6, 4], (input) => tf.reshape(input, [6, -1])),
    line(x, [24], (input) => tf.reshape(input, [24])),
    line(one, [], (input) => tf.reshape(input, [])),
    line(empty, [3, 0], (input) => tf.reshape(input, [3, 0])),
    line(x, [2, 3, 1, 4], (input) => tf.expandDims(input, -2), 'ExpandDims'),
    line(x, [1, 2, 3, 4], (input) => tf.expandDims(input), 'ExpandDims'),
    line(one, [1], (input) => tf.squeeze(input, [0])),
  ];
}

function permutationCases(dtype: DType): KernelCase[] {
  const x = sample(dtype, [2, 3, 4]);
  const reversal = (array: NDArray, axes: number[] | undefined) => {
    const all = axes ?? [...array.shape.keys()];
    const real = all.map((axis) => (axis < 0 ? axis + array.shape.length : axis));
    return moved(
      'Reverse',
      array,
      (input) => (axes ? tf.reverse(input, axes) : tf.reverse(input)),
      array.shape,
      (place) => place.map((step, axis) => (real.includes(axis) ? array.shape[axis]! - 1 - step : step)),
    );
  };
  return [
    moved(
      'Transpose',
      x,
      (input) => tf.transpose(input, [2, 0, 1]),
      [4, 2, 3],
      ([a, b, c]) => [b!, c!, a!],
    ),
    moved(
      'Transpose',
      x,
      (input) => tf.transpose(input),
      [4, 3, 2],
      ([a, b, c]) => [c!, b!, a!],
    ),
    moved(
      'Transpose',
      sample(dtype, [0, 2]),
      (input) => tf.transpose(input),
      [2, 0],
      ([a, b]) => [b!, a!],
    ),
    reversal(x, undefined),
    reversal(x, [0]),
    reversal(x, [-1, 1]),
    reversal(sample(dtype, [5]), [0]),
    reversal(sample(dtype, [1, 3]), [0]),
    reversal(sample(dtype, [2, 0]), [1]),
  ];
}

function sliceCases(dtype: DType): KernelCase[] {
  const x = sample(dtype, [3, 5, 7]);
  return [
    moved(
      'Slice',
      x,
      (input) => tf.slice(input, [1, 0, 2], [2, 3, -1]),
      [2, 3, 5],
      ([a, b, c]) => [a! + 1, b!, c! + 2],
    ),
    moved(
      'Slice',
      x,
      (input) => tf.slice(input, [2]),
      [1, 5, 7],
      ([, b, c]) => [2, b!, c!],
    ),
    moved(
      'Slice',
      x,
      (input) => tf.slice(input, [1, 2, 3], [0, 1, 2]),
      [0, 1, 2],
      () => [],
    ),
    moved(
      'StridedSlice',
      x,
      (input) => tf.stridedSlice(input, [0, 4, 1], [3, 0, 7], [2, -2, 3]),
      [2, 2, 2],
      ([a, b, c]) => [2 * a!, 4 - 2 * b!, 1 + 3 * c!],
    ),
    moved(
      'StridedSlice',
      x,
      (input) => tf.stridedSlice(input, [1], [3]),
      [2, 5, 7],
      ([a, b, c]) => [a! + 1, b!, c!],
    ),
    moved(
      'Tile',
      x,
      (input) => tf.tile(input, [1, 2, 3]),
      [3, 10, 21],
      ([a, b, c]) => [a!, b! % 5, c! % 7],
    ),
    moved(
      'Tile',
      sample(dtype, [3, 1]),
      (input) => tf.tile(input, [2, 4]),
      [6, 4],
      ([a]) => [a! % 3, 0],
    ),
    moved(
      'Tile',
      sample(dtype, [2, 0]),
      (input) => tf.tile(input, [2, 3]),
      [4, 0],
      () => [],
    ),
    moved(
      'BroadcastTo',
      sample(dtype, [3, 1, 2]),
      (input) => tf.broadcastTo(input, [2, 3, 4, 2]),
      [2, 3, 4, 2],
      (place) => place,
    ),
    moved(
      'BroadcastTo',
      sample(dtype, []),
      (input) => tf.broadcastTo(input, [2, 2]),
      [2, 2],
      () => [],
    ),
  ];
}

/** Padding with a constant or with mirrored copies. */
function padCases(dtype: DType): KernelCase[] {
  const x = sample(dtype, [3, 4]);
  const pairs: [number, number][] = [
    [1, 0],
    [2, 1],
  ];
  const filled = (value: number | undefined): KernelCase => ({
    kernel: 'PadV2',
    name: `pad ${dtype} with ${value ?? 'the default'}`,
    inputs: [x],
    run: ([input]) => (value === undefined ? tf.pad(input!, pairs) : tf.pad(input!, pairs, value)),
    expected: [
      told(dtype, [4, 7], ([a, b]) => {
        const inside = a! >= 1 && b! >= 2 && b! < 6;
        return inside ? at(x, [a! - 1, b! - 2]) : (value ?? 0);
      }),
    ],
  });
  const fold = (index: number, extent: number, offset: number) => {
    if (index < 0) return -index - offset;
    return index >= extent ? 2 * (extent - 1) - index + offset : index;
  };
  const mirrored = (mode: 'reflect' | 'symmetric') =>
    moved(
      'MirrorPad',
      x,
      (input) => tf.mirrorPad(input, pairs, mode),
      [4, 7],
      ([a, b]) => [
        fold(a! - 1, 3, Number(mode === 'symmetric')),
        fold(b! - 2, 4, Number(mode === 'symmetric')),
      ],
    );
  const constants = dtype === 'bool' ? [undefined] : [undefined, 3, -2];
  return [
    ...constants.map(filled),
    ...(dtype === 'bool' ? [] : [mirrored('reflect'), mirrored('symmetric')]),
  ];
}

function joinCases(dtype: DType): KernelCase[] {
  const [a, b, none] = [sample(dtype, [2, 3], 1), sample(dtype, [2, 4], 2), sample(dtype, [2, 0], 3)];
  const [c, d] = [sample(dtype, [2, 3], 4), sample(dtype, [2, 3], 5)];
  const x = sample(dtype, [3, 5, 4], 6);
  const part = (start: number, extent: number) =>
    told(dtype, [3, 5, extent], ([i, j, k]) => at(x, [i!, j!, k! + start]));
  return [
    {
      kernel: 'Concat',
      name: `concat ${dtype}`,
      inputs: [a, b, none],
      run: (all) => tf.concat([...all], 1),
      expected: [told(dtype, [2, 7], ([i, j]) => (j! < 3 ? at(a, [i!, j!]) : at(b, [i!, j! - 3])))],
    },
    {
      kernel: 'Concat',
      name: `concat ${dtype} over the default axis`,
      inputs: [c, d],
      run: (all) => tf.concat([...all]),
      expected: [told(dtype, [4, 3], ([i, j]) => (i! < 2 ? at(c, [i!, j!]) : at(d, [i! - 2, j!])))],
    },
    ...[0, 1, 2, -1].map(
      (axis): KernelCase => ({
        kernel: 'Pack',
        name: `stack ${dtype} over ${axis}`,
        inputs: [c, d],
        run: (all) => tf.stack([...all], axis),
        expected: [
          told(dtype, axis === 0 ? [2, 2, 3] : axis === 1 ? [2, 2, 3] : [2, 3, 2], (place) => {
            const real = axis < 0 ? 2 : axis;
            return at(
              place[real] === 0 ? c : d,
              place.filter((_, index) => index !== real),
            );
          }),
        ],
      }),
    ),
    {
      kernel: 'Unpack',
      name: `unstack ${dtype}`,
      inputs: [x],
      run: ([input]) => tf.unstack(input!, -1),
      expected: [0, 1, 2, 3].map((k) => told(dtype, [3, 5], ([i, j]) => at(x, [i!, j!, k]))),
    },
    {
      kernel: 'SplitV',
      name: `split ${dtype} in sizes`,
      inputs: [x],
      run: ([input]) => tf.split(input!, [1, 0, 3], 2),
      expected: [part(0, 1), part(1, 0), part(1, 3)],
    },
    {
      kernel: 'SplitV',
      name: `split ${dtype} in halves`,
      inputs: [x],
      run: ([input]) => tf.split(input!, 2, -1),
      expected: [part(0, 2), part(2, 2)],
    },
  ];
}

function gatherCases(dtype: DType): KernelCase[] {
  const x = sample(dtype, [3, 5, 2]);
  const along = int([4, 0, 4, 2], [4]);
  const perRow = int([4, 0, 1, 2, 3, 3], [3, 2]);
  return [
    {
      kernel: 'GatherV2',
      name: `gather ${dtype} over axis 1, repeated`,
      inputs: [x, along],
      run: ([input, ids]) => tf.gather(input!, ids!, 1),
      expected: [told(dtype, [3, 4, 2], ([i, j, k]) => at(x, [i!, at(along, [j!]), k!]))],
    },
    {
      kernel: 'GatherV2',
      name: `gather ${dtype} over the default axis, ids of two axes`,
      inputs: [x, int([2, 2, 0, 1], [2, 2])],
      run: ([input, ids]) => tf.gather(input!, ids!),
      expected: [
        told(dtype, [2, 2, 5, 2], ([i, j, ...rest]) => at(x, [[2, 2, 0, 1][2 * i! + j!]!, ...rest])),
      ],
    },
    {
      kernel: 'GatherV2',
      name: `gather ${dtype} rows of a batch`,
      inputs: [x, perRow],
      run: ([input, ids]) => tf.gather(input!, ids!, 1, 1),
      expected: [told(dtype, [3, 2, 2], ([i, j, k]) => at(x, [i!, at(perRow, [i!, j!]), k!]))],
    },
    {
      kernel: 'GatherV2',
      name: `gather ${dtype} of nothing`,
      inputs: [x, int([], [0])],
      run: ([input, ids]) => tf.gather(input!, ids!, 1),
      expected: [told(dtype, [3, 0, 2], () => 0)],
    },
  ];
}

function constantCases(): KernelCase[] {
  const ids = int([1, 3, 0, -1, 7], [5]);
  const hot = (dtype: DType | undefined, on = 1, off = 0): KernelCase => ({
    kernel: 'OneHot',
    name: `oneHot ${dtype ?? 'of the default dtype'} ${on} ${off}`,
    inputs: [ids],
    run: ([input]) =>
      dtype === undefined ? tf.oneHot(input!, 4) : tf.oneHot(input!, 4, on, off, dtype as 'float32'),
    expected: [told(dtype ?? 'int32', [5, 4], ([row, column]) => (at(ids, [row!]) === column ? on : off))],
  });
  const like = (kernel: string, op: (x: tf.Tensor) => tf.Tensor, value: number) =>
    DTYPES.map((dtype): KernelCase => {
      const x = sample(dtype, [2, 3]);
      return {
        kernel,
        name: `${kernel} ${dtype}`,
        inputs: [x],
        run: ([input]) => op(input!),
        expected: [told(dtype, [2, 3], () => value)],
      };
    });
  const x = float([0]);
  const made = (
    kernel: string,
    name: string,
    run: () => tf.Tensor,
    expected: KernelCase['expected'][number],
  ): KernelCase => ({
    kernel,
    name,
    inputs: [x],
    // The input keeps the graph from being empty.
    run: ([input]) => [run(), tf.neg(input!)],
    expected: [expected, told('float32', [1], () => 0)],
  });
  return [
    hot(undefined),
    hot('float32', 2.5, -1),
    hot('int32', 5, -3),
    hot('bool'),
    ...like('ZerosLike', tf.zerosLike, 0),
    ...like('OnesLike', tf.onesLike, 1),
    made(
      'Fill',
      'fill float32',
      () => tf.fill([2, 2], 0.1),
      told('float32', [2, 2], () => 0.1),
    ),
    made(
      'Fill',
      'fill int32',
      () => tf.fill([3], -7, 'int32'),
      told('int32', [3], () => -7),
    ),
    made(
      'Fill',
      'fill of no element',
      () => tf.fill([0, 2], 1),
      told('float32', [0, 2], () => 1),
    ),
    made(
      'Range',
      'range of floats',
      () => tf.range(0, 1, 0.25),
      told('float32', [4], ([i]) => i! / 4),
    ),
    made(
      'Range',
      'range of integers',
      () => tf.range(5, 0, -2, 'int32'),
      told('int32', [3], ([i]) => 5 - 2 * i!),
    ),
    made(
      'Range',
      'range by the default step',
      () => tf.range(2, 5),
      told('float32', [3], ([i]) => 2 + i!),
    ),
  ];
}

function productCases(): KernelCase[] {
  const shapes = [
    [[3, 5], [5, 2], false, false],
    [[5, 3], [5, 2], true, false],
    [[3, 5], [2, 5], false, true],
    [[5, 3], [2, 5], true, true],
    [[2, 3, 4], [2, 4, 2], false, false],
    [[2, 1, 3, 4], [3, 4, 2], false, false],
    [[1, 1], [1, 1], false, false],
    [[3, 0], [0, 2], false, false],
    [[0, 3], [3, 2], false, false],
    [[2, 300], [300, 2], false, false],
  ] as const;
  return shapes.map(([first, second, transposeA, transposeB]): KernelCase => {
    const positive = (shape: readonly number[], seed: number) => {
      const { data } = sample('float32', shape, seed);
      return float(Array.from(data, Math.abs), shape);
    };
    const [a, b] = [positive(first, 1), positive(second, 2)];
    const [rows, inner] = transposeA ? [first.at(-1)!, first.at(-2)!] : [first.at(-2)!, first.at(-1)!];
    const columns = transposeB ? second.at(-2)! : second.at(-1)!;
    const batch = broadcast(first.slice(0, -2), second.slice(0, -2));
    return {
      kernel: 'BatchMatMul',
      name: `matMul [${first}] [${second}] ${transposeA} ${transposeB}`,
      inputs: [a, b],
      run: ([x, y]) => tf.matMul(x!, y!, transposeA, transposeB),
      expected: [
        told('float32', [...batch, rows, columns], (place) => {
          const lead = place.slice(0, -2);
          const [row, column] = place.slice(-2) as [number, number];
          return Array.from({ length: inner }, (_, k) => {
            const left = at(a, [...lead, ...(transposeA ? [k, row] : [row, k])]);
            return left * at(b, [...lead, ...(transposeB ? [column, k] : [k, column])]);
          }).reduce((total, term) => total + term, 0);
        }),
      ],
    };
  });
}

/** The gradient kernel of elu, as TensorFlow.js' own gradient would call it: dy where y is positive, dy (y + 1) elsewhere. */
function gradientKernelCases(): KernelCase[] {
  const [dy, y] = [float([1, -2, 3, 0.5]), float([-0.5, 2, 0, -1])];
  return [
    {
      kernel: 'EluGrad',
      name: 'EluGrad',
      inputs: [dy, y],
      run: ([slope, output]) => tf.engine().runKernel('EluGrad', { dy: slope!, y: output! }) as tf.Tensor,
      expected: [told('float32', [4], (place) => at(dy, place) * Math.min(1, at(y, place) + 1))],
    },
  ];
}

export const shapeCases: readonly KernelCase[] = [
  ...DTYPES.flatMap((dtype) => [
    ...reshapeCases(dtype),
    ...permutationCases(dtype),
    ...sliceCases(dtype),
    ...padCases(dtype),
    ...joinCases(dtype),
    ...gatherCases(dtype),
  ]),
  ...constantCases(),
  ...productCases(),
  ...gradientKernelCases(),
].filter(({ inputs }) => inputs.every(({ data, shape }) => data.length === sizeOf(shape)));
