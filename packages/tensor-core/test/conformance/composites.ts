import {
  addLayerNorm,
  addLinear,
  applyRotary,
  cachedAttention,
  causalMask,
  crossEntropy,
  cumulativeSum,
  dropoutWithMask,
  embedding,
  geGlu,
  gelu,
  geluTanh,
  glu,
  gru,
  layerNorm,
  linear,
  logSoftmax,
  lstm,
  ndarray,
  normalise,
  reGlu,
  rmsNorm,
  rotaryTable,
  silu,
  softmax,
  swiGlu,
  tf,
  writeRows,
} from '../../src/index.js';
import { spread } from '../support/numbers.js';
import type { OpCase } from './cases.js';

const x = (shape: readonly number[], seed = 1) => spread(shape, -1.7, 1.9, seed);
const ids = (values: readonly number[], shape: readonly number[] = [values.length]) =>
  ndarray(values, shape, 'int32');

/** The nn functions, over odd shapes, with gradients to every float input. */
export const compositeCases: readonly OpCase[] = [
  {
    name: 'linear',
    inputs: [x([2, 3, 5]), x([7, 5], 2), x([7], 3)],
    differentiate: [0, 1, 2],
    run: ([a, w, b]) => linear(a!, w!, b),
  },
  {
    name: 'addLinear',
    inputs: [x([3, 7], 4), x([3, 5]), x([7, 5], 2)],
    differentiate: [0, 1, 2],
    run: ([r, a, w]) => addLinear(r!, a!, w!),
  },
  {
    name: 'addLayerNorm',
    inputs: [x([3, 6], 4), x([3, 6]), x([6], 2), x([6], 3), x([6], 5)],
    differentiate: [0, 1, 2, 3, 4],
    run: ([a, b, gain, bias, shift]) => {
      const { normal, sum } = addLayerNorm(a!, b!, gain!, bias!, { shift: shift! });
      return tf.add(tf.mul(normal, sum), tf.sin(sum));
    },
  },
  {
    name: 'addLayerNorm of time without a shift',
    inputs: [x([2, 3, 8], 4), x([2, 3, 8]), x([8], 2), x([8], 3)],
    differentiate: [0, 1, 2, 3],
    run: ([a, b, gain, bias]) => addLayerNorm(a!, b!, gain!, bias!, { epsilon: 1e-3 }).normal,
  },
  {
    name: 'linear without bias',
    inputs: [x([3, 5]), x([1, 5], 2)],
    differentiate: [0, 1],
    run: ([a, w]) => linear(a!, w!),
  },
  ...[1, 5].flatMap((time): OpCase[] => [
    {
      name: `gru over ${time} tokens`,
      inputs: [x([time, 2, 3]), x([2, 4], 2), x([12, 3], 3), x([12, 4], 4), x([12], 5), x([12], 6)],
      differentiate: [0, 1, 2, 3, 4, 5],
      run: ([a, state, inputWeight, stateWeight, inputBias, stateBias]) =>
        gru(a!, state!, {
          inputWeight: inputWeight!,
          stateWeight: stateWeight!,
          inputBias: inputBias!,
          stateBias: stateBias!,
        }),
    },
    {
      name: `lstm over ${time} tokens`,
      inputs: [x([time, 2, 3]), x([2, 4], 2), x([2, 4], 3), x([16, 3], 4), x([16, 4], 5), x([16], 6)],
      differentiate: [0, 1, 2, 3, 4, 5],
      run: ([a, hidden, cell, inputWeight, stateWeight, bias]) => {
        const weights = { inputWeight: inputWeight!, stateWeight: stateWeight!, bias: bias! };
        const [states, after] = lstm(a!, { hidden: hidden!, cell: cell! }, weights);
        return [states, after.hidden, after.cell];
      },
    },
  ]),
  {
    name: 'writeRows',
    inputs: [x([2, 2, 5, 3]), x([2, 2, 2, 3], 2), ids([4, 0, 1, 2, 3, 4, 0, 1], [2, 2, 2])],
    differentiate: [0, 1],
    run: ([target, rows, slots]) => writeRows(target!, rows!, slots!),
  },
  {
    name: 'writeRows of whole numbers, one slot each',
    inputs: [ids([5, 6, 7, 8, 9, 10], [2, 1, 3]), ids([-1, 70000000], [2, 1, 1]), ids([2, 0], [2, 1, 1])],
    differentiate: [],
    run: ([target, rows, slots]) => writeRows(target!, rows!, slots!),
  },
  {
    name: 'embedding',
    inputs: [x([5, 3]), ids([4, 0, 4, 1, 2, 4], [2, 3])],
    differentiate: [0],
    run: ([t, i]) => embedding(t!, i!),
  },
  {
    name: 'embedding of a large vocabulary',
    inputs: [x([1100, 1]), ids([1099, 7, 1099])],
    differentiate: [],
    run: ([t, i]) => embedding(t!, i!),
  },
  {
    name: 'layerNorm',
    inputs: [x([2, 3, 7]), x([7], 2), x([7], 3)],
    differentiate: [0, 1, 2],
    run: ([a, g, b]) => layerNorm(a!, g!, b!),
  },
  {
    name: 'layerNorm of one value',
    inputs: [x([3, 1]), x([1], 2), x([1], 3)],
    differentiate: [1, 2],
    run: ([a, g, b]) => layerNorm(a!, g!, b!, 0.1),
  },
  {
    name: 'rmsNorm',
    inputs: [x([2, 3, 7]), x([7], 2)],
    differentiate: [0, 1],
    run: ([a, g]) => rmsNorm(a!, g),
  },
  {
    name: 'rmsNorm without gain',
    inputs: [x([5, 3])],
    differentiate: [0],
    run: ([a]) => rmsNorm(a!, undefined, 1e-2),
  },
  { name: 'gelu', inputs: [spread([3, 7], -4, 4, 1)], differentiate: [0], run: ([a]) => gelu(a!) },
  { name: 'geluTanh', inputs: [spread([3, 7], -4, 4, 1)], differentiate: [0], run: ([a]) => geluTanh(a!) },
  { name: 'silu', inputs: [spread([3, 7], -4, 4, 1)], differentiate: [0], run: ([a]) => silu(a!) },
  ...(
    [
      ['glu', glu],
      ['swiGlu', swiGlu],
      ['geGlu', geGlu],
      ['reGlu', reGlu],
    ] as const
  ).map(
    ([name, op]): OpCase => ({
      name,
      inputs: [x([3, 5]), x([3, 5], 2)],
      differentiate: [0, 1],
      run: ([a, b]) => op(a!, b!),
    }),
  ),
  { name: 'softmax composite', inputs: [x([2, 3, 5])], differentiate: [0], run: ([a]) => softmax(a!) },
  { name: 'logSoftmax composite', inputs: [x([3, 5])], differentiate: [0], run: ([a]) => logSoftmax(a!) },
  {
    name: 'softmax under a mask',
    inputs: [x([2, 3, 5])],
    differentiate: [0],
    run: ([a]) => softmax(tf.add(a!, causalMask(3, 5))),
  },
  {
    name: 'crossEntropy',
    inputs: [x([4, 5]), ids([1, 0, 4, 4])],
    differentiate: [0],
    run: ([a, y]) => crossEntropy(a!, y!),
  },
  {
    name: 'crossEntropy smoothed',
    inputs: [x([4, 5]), ids([1, 0, 4, 4])],
    differentiate: [0],
    run: ([a, y]) => crossEntropy(a!, y!, { labelSmoothing: 0.1 }),
  },
  {
    name: 'crossEntropy ignoring',
    inputs: [x([4, 5]), ids([1, -100, 4, -100])],
    differentiate: [0],
    run: ([a, y]) => crossEntropy(a!, y!, { ignoreIndex: -100, labelSmoothing: 0.2 }),
  },
  {
    name: 'crossEntropy of weighted rows',
    inputs: [x([4, 5]), ids([1, 0, 4, 4]), ndarray([0.5, 0, 2, 1.25])],
    differentiate: [0],
    run: ([a, y, w]) => crossEntropy(a!, y!, { rowWeights: w!, labelSmoothing: 0.1 }),
  },
  {
    name: 'crossEntropy of weighted rows, ignoring',
    inputs: [x([4, 5]), ids([1, -1, 4, 3]), ndarray([0.5, 3, 0.25, 0.1])],
    differentiate: [0],
    run: ([a, y, w]) => crossEntropy(a!, y!, { rowWeights: w!, ignoreIndex: -1 }),
  },
  {
    name: 'normalise',
    inputs: [x([3, 5])],
    differentiate: [0],
    run: ([a]) => normalise(a!),
  },
  {
    name: 'applyRotary',
    inputs: [x([2, 3, 6])],
    differentiate: [0],
    run: ([a]) => {
      const { cos, sin } = rotaryTable([0, 3, 1000], 6);
      return applyRotary(a!, cos, sin);
    },
  },
  {
    name: 'applyRotary by angles of every text',
    inputs: [x([2, 3, 2, 6])],
    differentiate: [0],
    run: ([a]) => {
      const { cos, sin } = rotaryTable([0, 3, 1000, 2], 6);
      const perText = (table: tf.Tensor) => tf.reshape(table, [2, 1, 2, 3]);
      return applyRotary(a!, perText(cos), perText(sin));
    },
  },
  {
    name: 'applyRotary of one row',
    inputs: [x([2, 3, 1, 6])],
    differentiate: [0],
    run: ([a]) => {
      const { cos, sin } = rotaryTable([5], 6);
      return applyRotary(a!, cos, sin);
    },
  },
  ...[0, 3, 4].flatMap((position) =>
    [2, 8].map(
      (width): OpCase => ({
        name: `cachedAttention of width ${width} at ${position}`,
        inputs: [
          x([2, 9 * width]),
          x([2, 3, 5, width], 2),
          x([2, 3, 5, width], 3),
          ndarray(position, [], 'int32'),
        ],
        differentiate: [],
        run: ([packed, keys, values, at]) => {
          const step = cachedAttention(packed!, { keys: keys!, values: values! }, at!, 3);
          // Slots after the position are not defined.
          const used = (cache: tf.Tensor) => tf.slice(cache, [0, 0, 0, 0], [2, 3, position + 1, width]);
          return [step.read, used(step.cache.keys), used(step.cache.values)];
        },
      }),
    ),
  ),
  ...[2, 8].map(
    (width): OpCase => ({
      name: `cachedAttention of width ${width}, texts at different positions`,
      inputs: [
        x([2, 9 * width]),
        x([2, 3, 5, width], 2),
        x([2, 3, 5, width], 3),
        ndarray(Int32Array.of(0, 3), [2], 'int32'),
      ],
      differentiate: [],
      run: ([packed, keys, values, at]) => {
        const step = cachedAttention(packed!, { keys: keys!, values: values! }, at!, 3);
        const used = (cache: tf.Tensor) => [
          tf.slice(cache, [0, 0, 0, 0], [1, 3, 1, width]),
          tf.slice(cache, [1, 0, 0, 0], [1, 3, 4, width]),
        ];
        return [step.read, ...used(step.cache.keys), ...used(step.cache.values)];
      },
    }),
  ),
  {
    name: 'dropoutWithMask',
    inputs: [x([2, 3]), ndarray([1, 0, 1, 1, 0, 1], [2, 3])],
    differentiate: [0],
    run: ([a, keep]) => dropoutWithMask(a!, keep!, 0.25),
  },
  { name: 'cumulativeSum', inputs: [x([2, 5, 3])], differentiate: [0], run: ([a]) => cumulativeSum(a!, 1) },
];
