import { afterAll, describe, expect, test } from 'vitest';
import {
  addLayerNorm,
  applyRotary,
  crossEntropy,
  type Engine,
  embedding,
  gelu,
  geluTanh,
  layerNorm,
  linear,
  logSoftmax,
  type NDArray,
  ndarray,
  rmsNorm,
  rotaryTable,
  silu,
  softmax,
  tf,
} from '../src/index.js';
import { loadableEngines } from './support/engines.js';
import { relativeDifference, spread } from './support/numbers.js';

// The formulas once more in plain float64, with slopes by central differences: an oracle that shares no code.
const engines = await loadableEngines();
afterAll(async () => {
  for (const engine of engines) await engine.dispose();
});

type Row = readonly number[];
type Plain = (inputs: readonly Row[]) => number[];

interface Case {
  readonly name: string;
  readonly inputs: readonly NDArray[];
  /** Inputs to which gradients are taken; the first ones. */
  readonly differentiate: number;
  readonly run: (inputs: readonly tf.Tensor[]) => tf.Tensor;
  readonly plain: Plain;
}

const sum = (values: Row) => values.reduce((total, value) => total + value, 0);
const rowsOf = (values: Row, width: number) =>
  Array.from({ length: values.length / width }, (_, row) => values.slice(row * width, (row + 1) * width));
const perRow =
  (width: number, change: (row: Row) => number[]): Plain =>
  ([x]) =>
    rowsOf(x!, width).flatMap(change);

/** Error function by its series, exact to float64 rounding for |x| < 4. */
function erf(x: number): number {
  let term = x;
  let total = x;
  for (let n = 1; Math.abs(term) > 1e-18; n++) {
    term *= (-x * x) / n;
    total += term / (2 * n + 1);
  }
  return (2 / Math.sqrt(Math.PI)) * total;
}

const plainSoftmax = (row: Row) => {
  const powers = row.map((x) => Math.exp(x - Math.max(...row)));
  return powers.map((power) => power / sum(powers));
};

const plainNorm = (row: Row, epsilon: number, centre: boolean) => {
  const mean = centre ? sum(row) / row.length : 0;
  const variance = sum(row.map((x) => (x - mean) ** 2)) / row.length;
  return row.map((x) => (x - mean) / Math.sqrt(variance + epsilon));
};

function plainCrossEntropy(logits: Row, labels: Row, smoothing: number, ignored?: number): number[] {
  const classes = logits.length / labels.length;
  const losses = rowsOf(logits, classes).flatMap((row, index) => {
    if (labels[index] === ignored) return [];
    const target = row.map((_, c) => (c === labels[index] ? 1 - smoothing : 0) + smoothing / classes);
    return [-sum(plainSoftmax(row).map((p, c) => target[c]! * Math.log(p)))];
  });
  return [sum(losses) / Math.max(1, losses.length)];
}

const x = (shape: readonly number[], seed = 1, reach = 2) => spread(shape, -reach, 0.9 * reach, seed);
const labels = ndarray([1, 4, 0, 4, 2, 3, 1], [7], 'int32');
const someIgnored = ndarray([1, -100, 0, -100, -100, 3, 1], [7], 'int32');
const loss = (name: string, y: NDArray, labelSmoothing: number, ignoreIndex?: number): Case => ({
  name,
  inputs: [x([7, 5], 3, 4)],
  differentiate: 1,
  run: ([a]) =>
    crossEntropy(a!, tf.tensor1d(y.data, 'int32'), {
      labelSmoothing,
      ...(ignoreIndex ? { ignoreIndex } : {}),
    }),
  plain: ([a]) => plainCrossEntropy(a!, Array.from(y.data), labelSmoothing, ignoreIndex),
});

const visible = (query: number, key: number) => key <= query + 1;

const cases: readonly Case[] = [
  {
    name: 'gelu',
    inputs: [x([3, 11], 1, 3.5)],
    differentiate: 1,
    run: ([a]) => gelu(a!),
    plain: perRow(11, (row) => row.map((v) => (v * (1 + erf(v / Math.SQRT2))) / 2)),
  },
  {
    name: 'geluTanh',
    inputs: [x([3, 11], 2, 4)],
    differentiate: 1,
    run: ([a]) => geluTanh(a!),
    plain: perRow(11, (row) =>
      row.map((v) => 0.5 * v * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (v + 0.044715 * v ** 3)))),
    ),
  },
  {
    name: 'silu',
    inputs: [x([3, 11], 3, 6)],
    differentiate: 1,
    run: ([a]) => silu(a!),
    plain: perRow(11, (row) => row.map((v) => v / (1 + Math.exp(-v)))),
  },
  {
    name: 'layerNorm',
    inputs: [x([2, 3, 7]), x([7], 2), x([7], 3)],
    differentiate: 3,
    run: ([a, gain, bias]) => layerNorm(a!, gain!, bias!),
    plain: ([a, gain, bias]) =>
      rowsOf(a!, 7).flatMap((row) => plainNorm(row, 1e-5, true).map((v, i) => v * gain![i]! + bias![i]!)),
  },
  {
    name: 'layerNorm of one row, large epsilon',
    inputs: [x([13]), x([13], 2), x([13], 3)],
    differentiate: 3,
    run: ([a, gain, bias]) => layerNorm(a!, gain!, bias!, 0.5),
    plain: ([a, gain, bias]) => plainNorm(a!, 0.5, true).map((v, i) => v * gain![i]! + bias![i]!),
  },
  ...[
    [3, 7],
    [3, 4, 7],
    [3, 2, 2, 7],
  ].map(
    (shape): Case => ({
      name: `layerNorm of [${shape}] with a gain and a bias per group`,
      inputs: [x(shape), x([3, 7], 2), x([3, 7], 3)],
      differentiate: 3,
      run: ([a, gain, bias]) => layerNorm(a!, gain!, bias!),
      plain: ([a, gain, bias]) => {
        const rows = rowsOf(a!, 7);
        const group = (row: number) => 7 * Math.floor((3 * row) / rows.length);
        return rows.flatMap((row, r) =>
          plainNorm(row, 1e-5, true).map((v, i) => v * gain![group(r) + i]! + bias![group(r) + i]!),
        );
      },
    }),
  ),
  {
    name: 'rmsNorm',
    inputs: [x([5, 1, 3]), x([3], 2)],
    differentiate: 2,
    run: ([a, gain]) => rmsNorm(a!, gain),
    plain: ([a, gain]) =>
      rowsOf(a!, 3).flatMap((row) => plainNorm(row, 1e-6, false).map((v, i) => v * gain![i]!)),
  },
  {
    name: 'softmax',
    inputs: [x([2, 3, 5], 1, 3)],
    differentiate: 1,
    run: ([a]) => softmax(a!),
    plain: perRow(5, plainSoftmax),
  },
  {
    name: 'logSoftmax',
    inputs: [x([3, 5], 1, 3)],
    differentiate: 1,
    run: ([a]) => logSoftmax(a!),
    plain: perRow(5, (row) => plainSoftmax(row).map(Math.log)),
  },
  {
    name: 'softmax under a mask',
    inputs: [x([2, 3, 5], 1, 3)],
    differentiate: 1,
    run: ([a]) => {
      const mask = Float32Array.from({ length: 15 }, (_, i) =>
        visible(Math.floor(i / 5), i % 5) ? 0 : -1e9,
      );
      return softmax(tf.add(a!, tf.tensor2d(mask, [3, 5])));
    },
    plain: ([a]) =>
      rowsOf(a!, 5).flatMap((row, index) => {
        const seen = plainSoftmax(row.filter((_, key) => visible(index % 3, key)));
        return row.map((_, key) => seen[key] ?? 0);
      }),
  },
  loss('crossEntropy', labels, 0),
  loss('crossEntropy, smoothed', labels, 0.1),
  loss('crossEntropy, all smoothed', labels, 1),
  loss('crossEntropy, rows ignored', someIgnored, 0, -100),
  loss('crossEntropy, smoothed, rows ignored', someIgnored, 0.3, -100),
  {
    name: 'linear',
    inputs: [x([2, 3, 5]), x([7, 5], 2), x([7], 3)],
    differentiate: 3,
    run: ([a, weight, bias]) => linear(a!, weight!, bias),
    plain: ([a, weight, bias]) =>
      rowsOf(a!, 5).flatMap((row) =>
        rowsOf(weight!, 5).map((w, out) => sum(w.map((v, i) => v * row[i]!)) + bias![out]!),
      ),
  },
  {
    name: 'linear of one vector, no bias',
    inputs: [x([5]), x([3, 5], 2)],
    differentiate: 2,
    run: ([a, weight]) => linear(a!, weight!),
    plain: ([a, weight]) => rowsOf(weight!, 5).map((w) => sum(w.map((v, i) => v * a![i]!))),
  },
  {
    name: 'embedding',
    inputs: [x([6, 3])],
    differentiate: 1,
    run: ([table]) => embedding(table!, tf.tensor2d([5, 0, 5, 5, 2, 0], [3, 2], 'int32')),
    plain: ([table]) => [5, 0, 5, 5, 2, 0].flatMap((id) => rowsOf(table!, 3)[id]!),
  },
  {
    name: 'applyRotary',
    inputs: [x([2, 3, 6])],
    differentiate: 1,
    run: ([a]) => {
      const { cos, sin } = rotaryTable([0, 2, 77], 6, 500);
      return applyRotary(a!, cos, sin);
    },
    plain: ([a]) =>
      rowsOf(a!, 6).flatMap((row, index) => {
        // A rotation of the complex numbers row[i] + i row[i + 3].
        const angle = (i: number) => [0, 2, 77][index % 3]! * 500 ** ((-2 * i) / 6);
        const turned = [0, 1, 2].map((i) => {
          const [re, im, c, s] = [row[i]!, row[i + 3]!, Math.cos(angle(i)), Math.sin(angle(i))];
          return [re * c - im * s, re * s + im * c] as const;
        });
        return [...turned.map(([re]) => re), ...turned.map(([, im]) => im)];
      }),
  },
];

const weightOf = (index: number) => Math.sin(index + 1) + 1.2;

/** Slopes of the weighted sum of the outputs to one input. */
function plainSlopes(testCase: Case, input: number): number[] {
  const values = testCase.inputs.map(({ data }) => Array.from(data));
  const valueAt = (element: number, shift: number) => {
    const moved = values.map((list, index) =>
      index === input ? list.map((v, i) => (i === element ? v + shift : v)) : list,
    );
    return sum(testCase.plain(moved).map((v, i) => v * weightOf(i)));
  };
  return values[input]!.map((_, element) => (valueAt(element, 1e-5) - valueAt(element, -1e-5)) / 2e-5);
}

async function evaluate(
  engine: Engine,
  testCase: Case,
): Promise<{ value: ArrayLike<number>; slopes: ArrayLike<number>[] }> {
  const compiled = engine.compile((...inputs: tf.Tensor[]) => {
    const slopes = tf.grads((...variables: tf.Tensor[]) => {
      const output = testCase.run([...variables, ...inputs.slice(variables.length)]);
      const weights = Float32Array.from({ length: output.size }, (_, index) => weightOf(index));
      return tf.sum(tf.mul(output, tf.tensor(weights, output.shape)));
    })(inputs.slice(0, testCase.differentiate));
    return { value: testCase.run(inputs), slopes };
  });
  const { value, slopes } = await compiled(...(testCase.inputs as never[]));
  const result = {
    value: await value.data(),
    slopes: await Promise.all(slopes.map((slope) => slope.data())),
  };
  for (const array of [value, ...slopes]) array.dispose();
  await compiled.dispose();
  return result;
}

describe.each(engines)('on $name', (engine) => {
  test.each(cases)('$name and its gradients are those of the formula', async (testCase) => {
    const { value, slopes } = await evaluate(engine, testCase);
    const expected = testCase.plain(testCase.inputs.map(({ data }) => Array.from(data)));
    expect(relativeDifference(value, expected)).toBeLessThan(2e-6);
    expect(slopes).toHaveLength(testCase.differentiate);
    for (const [input, slope] of slopes.entries()) {
      expect(relativeDifference(slope, plainSlopes(testCase, input)), `input ${input}`).toBeLessThan(4e-6);
    }
  });

  test('gradients stay finite where functions are flat', async () => {
    const far = ndarray([-1e4, -40, -0, 0, 40, 1e4], [1, 6]);
    const compiled = engine.compile((a: tf.Tensor) =>
      [gelu, geluTanh, silu, softmax, logSoftmax].map((op) => tf.grad((v) => tf.sum(op(v)))(a)),
    );
    const slopes = await Promise.all((await compiled(far)).map((slope) => slope.data()));
    for (const slope of slopes) expect(Array.from(slope).every(Number.isFinite)).toBe(true);
    for (const slope of slopes.slice(0, 3)) {
      expect(relativeDifference(slope, [0, 0, 0.5, 0.5, 1, 1])).toBeLessThan(1e-6);
    }
    await compiled.dispose();
  });

  test('a row of equal values is normalised to the bias, with a finite gradient', async () => {
    const compiled = engine.compile((a: tf.Tensor, gain: tf.Tensor, bias: tf.Tensor) => ({
      value: layerNorm(a, gain, bias),
      slope: tf.grad((v) => tf.sum(layerNorm(v, gain, bias)))(a),
      rms: rmsNorm(tf.zerosLike(a)),
    }));
    const { value, slope, rms } = await compiled(
      ndarray([2, 2, 2], [1, 3]),
      ndarray([1, 2, 3]),
      ndarray([4, 5, 6]),
    );
    expect(Array.from(await value.data())).toEqual([4, 5, 6]);
    expect(Array.from(await slope.data()).every(Number.isFinite)).toBe(true);
    expect(Array.from(await rms.data())).toEqual([0, 0, 0]);
    await compiled.dispose();
  });

  test.each([1024, 1025])('rows of a table of %i get the sum of their gradients', async (vocabulary) => {
    const compiled = engine.compile((table: tf.Tensor, ids: tf.Tensor) =>
      tf.grad((t) => tf.sum(tf.mul(embedding(t, ids), tf.tensor2d([1, 10, 100], [3, 1]))))(table),
    );
    const last = vocabulary - 1;
    const slope = await (await compiled(x([vocabulary, 2]), ndarray([last, 7, last], [3], 'int32'))).data();
    const touched = Object.fromEntries(Array.from(slope, (v, i) => [i, v]).filter(([, v]) => v !== 0));
    expect(touched).toEqual({ [2 * last]: 101, [2 * last + 1]: 101, 14: 10, 15: 10 });
    await compiled.dispose();
  });
});

describe('arguments that do not fit are named', () => {
  const a = (...shape: number[]) => tf.zeros(shape);
  const ids = tf.tensor1d([0], 'int32');
  test.each<[string, () => unknown, string]>([
    [
      'linear',
      () => linear(a(2, 3), a(5, 4)),
      'A linear map needs inputs [..., in] and a weight [out, in], but got [2, 3] and [5, 4].',
    ],
    [
      'bias',
      () => linear(a(2, 4), a(5, 4), a(4)),
      'A linear map of weight [5, 4] needs a bias [5], but got [4].',
    ],
    [
      'gain',
      () => layerNorm(a(2, 4), a(3), a(4)),
      'Layer normalisation of [2, 4] needs a gain as wide as the last axis, but got [3].',
    ],
    [
      'layer norm bias',
      () => layerNorm(a(2, 4), a(4), a(1, 4)),
      'Layer normalisation of [2, 4] needs a bias as wide as the last axis, but got [1, 4].',
    ],
    ...(
      [
        ['a gain of groups and a bias of none', [3, 5, 4], [3, 4], [4], 'gain', [3, 1, 4]],
        ['a bias of groups and a gain of none', [3, 5, 4], [4], [3, 1, 4], 'bias', [3, 1, 4]],
        [
          'a gain of groups and a bias of none, as nodes have them',
          [3, 5, 4],
          [3, 1, 4],
          [4],
          'gain',
          [3, 1, 4],
        ],
        ['groups of two leading axes', [3, 2, 5, 4], [3, 1, 4], [3, 1, 4], 'gain', [3, 1, 4]],
        ['other groups than x has', [3, 5, 4], [2, 4], [2, 4], 'gain', [2, 1, 4]],
      ] as const
    ).map(([name, of, gain, bias, role, got]): [string, () => unknown, string] => [
      name,
      () => layerNorm(a(...of), a(...gain), a(...bias)),
      `Layer normalisation of [${of.join(', ')}] needs a ${role} as wide as the last axis, but got [${got.join(', ')}].`,
    ]),
    [
      'groups of a residual normalisation',
      () => addLayerNorm(a(3, 5, 4), a(3, 5, 4), a(3, 1, 4), a(3, 1, 4)),
      'Layer normalisation of [3, 5, 4] needs a gain as wide as the last axis, but got [3, 1, 4].',
    ],
    [
      'groups of an rms gain',
      () => rmsNorm(a(3, 5, 4), a(3, 1, 4)),
      'RMS normalisation of [3, 5, 4] needs a gain as wide as the last axis, but got [3, 1, 4].',
    ],
    [
      'rms gain',
      () => rmsNorm(a(2, 4), a(2)),
      'RMS normalisation of [2, 4] needs a gain as wide as the last axis, but got [2].',
    ],
    [
      'table',
      () => embedding(a(4), ids),
      'An embedding needs a table [vocabulary, width] and int32 ids, but got shape [4] and int32 ids.',
    ],
    [
      'ids',
      () => embedding(a(4, 2), a(1)),
      'An embedding needs a table [vocabulary, width] and int32 ids, but got shape [4, 2] and float32 ids.',
    ],
    [
      'smoothing',
      () => crossEntropy(a(1, 2), ids, { labelSmoothing: 1.5 }),
      'A label smoothing lies in [0, 1], but 1.5 was given.',
    ],
    [
      'odd heads',
      () => rotaryTable([0], 5),
      'Rotary position embedding turns pairs, so that a head is of even width, not 5.',
    ],
    [
      'angles',
      () => applyRotary(a(2, 6), a(2, 2), a(2, 2)),
      'Rotary angles [..., dim / 2] turn values [..., dim], but got [2, 2] and [2, 2] for [2, 6].',
    ],
  ])('%s', (_what, call, message) => {
    expect(call).toThrow(message);
  });
});
