import { type DType, type NDArray, sizeOf, tf } from '../../src/index.js';
import { at, bool, float, int, type KernelCase, lineOf, places, sample, told } from './kernel-case.js';

const { NaN: NAN, POSITIVE_INFINITY: INF } = Number;
type Line = readonly number[];

/** Ties, NaN at every place, infinities and zeros of both signs, a line each. */
const ODD_LINES = float(
  [
    [1, NAN, 2, 2],
    [NAN, 3, 1, 3],
    [1, 2, 2, NAN],
    [NAN, NAN, NAN, NAN],
    [INF, 1, -INF, INF],
    [-INF, -INF, -INF, -INF],
    [5, 5, 5, 5],
    [-0, 0, -0, 0],
    [NAN, INF, -INF, 0],
    [0.1, 0.2, 0.3, 0.6],
  ].flat(),
  [10, 4],
);
const ODD_INTS = int(
  [2147483647, -2147483648, 0, 0, 7, 7, 7, 7, -1, -2, -3, -1, 100000, 100000, 30000, 1],
  [4, 4],
);

const sum = (line: Line) => line.reduce((total, x) => total + x, 0);
const product = (line: Line) => line.reduce((total, x) => total * x, 1);
const firstOf = (better: (x: number, best: number) => boolean) => (line: Line) =>
  line.reduce((best, x, index) => (better(x, line[best]!) ? index : best), 0);

interface Reduction {
  readonly kernel: string;
  readonly op: (x: tf.Tensor, axis?: number | number[], keepDims?: boolean) => tf.Tensor;
  readonly plain: (line: Line) => number;
  readonly dtypes: readonly DType[];
  readonly result: (dtype: DType) => DType;
}

const same = (dtype: DType): DType => dtype;
const toInt = (dtype: DType): DType => (dtype === 'bool' ? 'int32' : dtype);

const REDUCTIONS: readonly Reduction[] = [
  { kernel: 'Sum', op: tf.sum, plain: sum, dtypes: ['float32', 'int32', 'bool'], result: toInt },
  {
    kernel: 'Mean',
    op: tf.mean,
    plain: (line) => sum(line) / line.length,
    dtypes: ['float32', 'int32', 'bool'],
    result: () => 'float32',
  },
  { kernel: 'Prod', op: tf.prod, plain: product, dtypes: ['float32', 'int32', 'bool'], result: toInt },
  {
    kernel: 'Max',
    op: tf.max,
    plain: (line) => Math.max(...line),
    dtypes: ['float32', 'int32'],
    result: same,
  },
  {
    kernel: 'Min',
    op: tf.min,
    plain: (line) => Math.min(...line),
    dtypes: ['float32', 'int32'],
    result: same,
  },
  { kernel: 'Any', op: tf.any, plain: (line) => Number(line.some(Boolean)), dtypes: ['bool'], result: same },
  { kernel: 'All', op: tf.all, plain: (line) => Number(line.every(Boolean)), dtypes: ['bool'], result: same },
];

/** What integers of 32 bits make of a result. */
function asDtype(dtype: DType, value: number): number {
  if (dtype !== 'int32') return value;
  if (value === INF) return 2147483647;
  return value === -INF ? -2147483648 : value | 0;
}

/** The numbers that are reduced to each place. */
function groups(x: NDArray, axes: readonly number[]): Map<string, number[]> {
  const found = new Map<string, number[]>();
  const others = x.shape.map((extent, axis) => (axes.includes(axis) ? 1 : extent));
  for (const place of places(others)) found.set(place.join(), []);
  for (const place of places(x.shape)) {
    found.get(place.map((step, axis) => (axes.includes(axis) ? 0 : step)).join())!.push(at(x, place));
  }
  return found;
}

function reductionCase(
  reduction: Reduction,
  x: NDArray,
  axis: number | number[] | undefined,
  keepDims: boolean,
): KernelCase {
  const { kernel, op, plain, result } = reduction;
  const given = axis === undefined ? [...x.shape.keys()] : [axis].flat();
  const axes = given.map((each) => (each < 0 ? each + x.shape.length : each));
  const kept = x.shape.map((extent, index) => (axes.includes(index) ? 1 : extent));
  const shape = keepDims ? kept : kept.filter((_, index) => !axes.includes(index));
  const dtype = result(x.dtype);
  const values = [...groups(x, axes).values()].map((line) => asDtype(dtype, plain(line)));
  return {
    kernel,
    name: `${kernel} ${x.dtype} [${x.shape}] over ${axis ?? 'all'}${keepDims ? ' kept' : ''}`,
    inputs: [x],
    run: ([input]) => (axis === undefined && !keepDims ? op(input!) : op(input!, axis, keepDims)),
    expected: [{ dtype, shape, values }],
  };
}

function reductionCases(): KernelCase[] {
  return REDUCTIONS.flatMap((reduction) =>
    reduction.dtypes.flatMap((dtype) => {
      const x = sample(dtype, [2, 3, 4]);
      const line = (array: NDArray, axis?: number | number[], keepDims = false) =>
        reductionCase(reduction, array, axis, keepDims);
      return [
        line(x),
        line(x, 0),
        line(x, 1, true),
        line(x, -1),
        line(x, [0, 2]),
        line(x, [0, 1, 2], true),
        line(sample(dtype, [])),
        line(sample(dtype, [1])),
        line(sample(dtype, [1, 3]), 0),
        line(sample(dtype, [3, 0]), 1),
        line(sample(dtype, [0])),
        line(sample(dtype, [0, 2]), 0, true),
        line(sample(dtype, [0, 2]), 1),
        line(sample(dtype, [70, 3]), 0),
        line(sample(dtype, [2, 130]), 1),
        ...(dtype === 'float32' ? [line(ODD_LINES, 1), line(ODD_LINES, 0)] : []),
        ...(dtype === 'int32' && reduction.kernel !== 'Prod'
          ? [line(ODD_INTS.shape.length ? int([...ODD_INTS.data].slice(4), [3, 4]) : ODD_INTS, 1)]
          : []),
        ...(dtype === 'int32' && /Max|Min/.test(reduction.kernel) ? [line(ODD_INTS, 1)] : []),
      ];
    }),
  ).filter(({ name }) => !/Prod.*\[(70,3|2,130)\]/.test(name));
}

function argumentCases(): KernelCase[] {
  const kinds = [
    { kernel: 'ArgMax', op: tf.argMax, plain: firstOf((x, best) => x > best) },
    { kernel: 'ArgMin', op: tf.argMin, plain: firstOf((x, best) => x < best) },
  ];
  const inputs: [NDArray, number][] = [
    [ODD_LINES, 1],
    [ODD_LINES, 0],
    [ODD_INTS, -1],
    [sample('float32', [2, 3, 4]), 1],
    [sample('int32', [2, 3, 4]), 0],
    [sample('int32', [1, 3]), 0],
    [sample('float32', [5]), 0],
    [sample('float32', [0, 3]), 1],
  ];
  return kinds.flatMap(({ kernel, op, plain }) =>
    inputs.map(([x, axis]): KernelCase => {
      const real = axis < 0 ? axis + x.shape.length : axis;
      const shape = x.shape.filter((_, index) => index !== real);
      return {
        kernel,
        name: `${kernel} ${x.dtype} [${x.shape}] over ${axis}`,
        inputs: [x],
        run: ([input]) => (axis === 0 && x.shape.length === 1 ? op(input!) : op(input!, axis)),
        expected: [told('int32', shape, (place) => plain(lineOf(x, real, place)))],
      };
    }),
  );
}

function prefixCases(): KernelCase[] {
  const inputs: [NDArray, number][] = [
    [sample('float32', [5]), 0],
    [sample('float32', [2, 3, 4]), 1],
    [sample('int32', [2, 3, 4]), 2],
    [sample('int32', [3, 1]), 1],
    [sample('float32', [2, 0]), 1],
    [sample('float32', [0, 2]), 1],
    [sample('float32', [100, 2]), 0],
    [float([1, NAN, 2, INF, -INF, 1], [6]), 0],
  ];
  const flags = [
    [false, false],
    [true, false],
    [false, true],
    [true, true],
  ] as const;
  return inputs.flatMap(([x, axis]) =>
    flags.map(([exclusive, reverse]): KernelCase => {
      const upTo = (line: Line, step: number) => {
        const part = reverse
          ? line.slice(step + (exclusive ? 1 : 0))
          : line.slice(0, step + (exclusive ? 0 : 1));
        return sum(reverse ? [...part].reverse() : part);
      };
      return {
        kernel: 'Cumsum',
        name: `cumsum ${x.dtype} [${x.shape}] over ${axis}${exclusive ? ' exclusive' : ''}${reverse ? ' reverse' : ''}`,
        inputs: [x],
        run: ([input]) =>
          axis === 0 && !exclusive && !reverse
            ? tf.cumsum(input!)
            : tf.cumsum(input!, axis, exclusive, reverse),
        expected: [
          told(x.dtype, x.shape, (place) => {
            const others = place.filter((_, index) => index !== axis);
            return upTo(lineOf(x, axis, others), place[axis]!);
          }),
        ],
      };
    }),
  );
}

function softmaxCases(): KernelCase[] {
  const inputs = [
    sample('float32', [2, 3, 4]),
    sample('float32', [5]),
    sample('float32', [3, 1]),
    sample('float32', [0, 3]),
    float([1000, 1000, -1000, 0, -80, -86, 3e38, -3e38, 0], [3, 3]),
    float([-INF, 0, 1, NAN, 0, 1], [2, 3]),
  ];
  const shifted = (line: Line) => {
    const top = Math.max(...line);
    return { top, total: sum(line.map((x) => Math.exp(x - top))) };
  };
  const kinds = [
    {
      kernel: 'Softmax',
      op: (x: tf.Tensor) => tf.softmax(x),
      plain: (line: Line, x: number) => Math.exp(x - shifted(line).top) / shifted(line).total,
    },
    {
      kernel: 'LogSoftmax',
      op: (x: tf.Tensor) => tf.logSoftmax(x),
      plain: (line: Line, x: number) => x - shifted(line).top - Math.log(shifted(line).total),
    },
  ];
  return kinds.flatMap(({ kernel, op, plain }) =>
    inputs.map(
      (x): KernelCase => ({
        kernel,
        name: `${kernel} [${x.shape}]`,
        inputs: [x],
        run: ([input]) => op(input!),
        expected: [
          told('float32', x.shape, (place) => {
            const line = lineOf(x, x.shape.length - 1, place.slice(0, -1));
            return plain(line, at(x, place));
          }),
        ],
      }),
    ),
  );
}

function topKCases(): KernelCase[] {
  const inputs: [NDArray, number][] = [
    [sample('float32', [2, 5]), 3],
    [sample('int32', [2, 7]), 7],
    [float([1, 1, 2, 2, 0], [5]), 4],
    [float([INF, -INF, 0, INF], [4]), 2],
    [sample('float32', [3, 1]), 1],
  ];
  return inputs.map(([x, k]): KernelCase => {
    const shape = [...x.shape.slice(0, -1), k];
    const order = (place: Line) => {
      const line = lineOf(x, x.shape.length - 1, place.slice(0, -1));
      return [...line.keys()].sort((a, b) => line[b]! - line[a]! || a - b)[place.at(-1)!]!;
    };
    return {
      kernel: 'TopK',
      name: `topk ${x.dtype} [${x.shape}] ${k}`,
      inputs: [x],
      run: ([input]) => {
        const { values, indices } = k === 1 ? tf.topk(input!) : tf.topk(input!, k);
        return [values, indices];
      },
      expected: [
        told(x.dtype, shape, (place) => at(x, [...place.slice(0, -1), order(place)])),
        told('int32', shape, order),
      ],
    };
  });
}

function scatterCases(): KernelCase[] {
  const segment = (x: NDArray, ids: readonly number[], count: number): KernelCase => ({
    kernel: 'UnsortedSegmentSum',
    name: `unsortedSegmentSum ${x.dtype} [${x.shape}] into ${count}`,
    inputs: [x, int(ids)],
    run: ([rows, segments]) => tf.unsortedSegmentSum(rows!, segments as tf.Tensor1D, count),
    expected: [
      told(x.dtype, [count, ...x.shape.slice(1)], ([id, ...rest]) =>
        sum(ids.map((other, row) => (other === id ? at(x, [row, ...rest]) : 0))),
      ),
    ],
  });
  const scatter = (indices: NDArray, updates: NDArray, shape: readonly number[]): KernelCase => {
    const depth = indices.shape.at(-1)!;
    const rows = places(indices.shape.slice(0, -1));
    return {
      kernel: 'ScatterNd',
      name: `scatterND ${updates.dtype} [${indices.shape}] into [${shape}]`,
      inputs: [indices, updates],
      run: ([where, what]) => tf.scatterND(where!, what!, [...shape]),
      expected: [
        told(updates.dtype, shape, (place) =>
          sum(
            rows.map((row) => {
              const here = places([depth]).every(([axis]) => at(indices, [...row, axis!]) === place[axis!]);
              return here ? at(updates, [...row, ...place.slice(depth)]) : 0;
            }),
          ),
        ),
      ],
    };
  };
  return [
    segment(sample('float32', [5, 3]), [2, 0, 2, 3, 0], 4),
    segment(sample('int32', [5, 3]), [2, 0, 2, 3, 0], 4),
    segment(sample('float32', [6]), [1, 1, 1, 1, 1, 1], 2),
    segment(sample('float32', [4, 2]), [0, -1, 5, 1], 3),
    segment(sample('float32', [3, 2, 2]), [1, 0, 1], 2),
    segment(sample('float32', [0, 2]), [], 3),
    segment(sample('float32', [3, 0]), [0, 1, 0], 2),
    scatter(int([4, 1, 4], [3, 1]), sample('float32', [3, 2]), [6, 2]),
    scatter(int([4, 1, 4], [3, 1]), sample('int32', [3]), [6]),
    scatter(int([0, 1, 1, 2, 0, 1], [3, 2]), sample('float32', [3]), [2, 3]),
    scatter(int([0, 1, 1, 2, 0, 1, 1, 0], [2, 2, 2]), sample('float32', [2, 2, 3]), [2, 3, 3]),
  ];
}

function gatherCases(): KernelCase[] {
  const gatherNd = (params: NDArray, indices: NDArray): KernelCase => {
    const depth = indices.shape.at(-1)!;
    const lead = indices.shape.length - 1;
    return {
      kernel: 'GatherNd',
      name: `gatherND ${params.dtype} [${params.shape}] [${indices.shape}]`,
      inputs: [params, indices],
      run: ([x, where]) => tf.gatherND(x!, where!),
      expected: [
        told(params.dtype, [...indices.shape.slice(0, -1), ...params.shape.slice(depth)], (place) => {
          const from = places([depth]).map(([axis]) => at(indices, [...place.slice(0, lead), axis!]));
          return at(params, [...from, ...place.slice(lead)]);
        }),
      ],
    };
  };
  const dtypes = ['float32', 'int32', 'bool'] as const;
  return [
    ...dtypes.flatMap((dtype) => [
      gatherNd(sample(dtype, [4, 5]), int([1, 2, 3, 0], [2, 2])),
      gatherNd(sample(dtype, [4, 5]), int([3, 3, 0], [3, 1])),
    ]),
    gatherNd(sample('float32', [2, 3, 4]), int([1, 2, 3, 0, 0, 0, 1, 2, 3], [3, 3])),
    gatherNd(float([NAN, INF, -0], [3]), int([2, 1, 0, 0], [4, 1])),
  ];
}

function anyOfFlags(): KernelCase[] {
  const flags = bool([0, 0, 1, 0, 1, 1], [2, 3]);
  return [
    {
      kernel: 'Any',
      name: 'any of comparisons',
      inputs: [flags],
      run: ([x]) => tf.any(tf.logicalNot(x!), 0),
      expected: [
        told('bool', [3], ([column]) => Number([0, 1].some((row) => at(flags, [row, column!]) === 0))),
      ],
    },
  ];
}

export const reductionCaseList: readonly KernelCase[] = [
  ...reductionCases(),
  ...argumentCases(),
  ...prefixCases(),
  ...softmaxCases(),
  ...topKCases(),
  ...scatterCases(),
  ...gatherCases(),
  ...anyOfFlags(),
].filter(({ inputs }) => inputs.every(({ data, shape }) => data.length === sizeOf(shape)));
