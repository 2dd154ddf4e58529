import {
  createEngine,
  type DeviceArray,
  type Engine,
  type NDArray,
  Rng,
  tf,
  valueAndGradient,
} from '@palimpsest/tensor-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { gatedDeltaNetMixer } from '../../src/controls/mixers/gated-delta-net.js';
import { gatedLinearAttentionMixer } from '../../src/controls/mixers/gated-linear-attention.js';
import { linearAttentionMixer } from '../../src/controls/mixers/linear-attention.js';
import type { Mixer, Tensors } from '../../src/controls/mixers/mixer.js';
import { rwkv7Mixer } from '../../src/controls/mixers/rwkv-7.js';
import { stateSpaceMixer } from '../../src/controls/mixers/state-space.js';
import {
  gatedDeltaNet64,
  gatedLinearAttention64,
  linearAttention64,
  type Matrix,
  type Params,
  rwkv764,
  stateSpace64,
} from './float64.js';

const engines: Engine[] = [];
beforeAll(async () => {
  engines.push(await createEngine('cpu'), await createEngine('onnx'));
});
afterAll(async () => {
  for (const engine of engines) await engine.dispose();
});

const stack = { width: 8, layers: 2 };
const [heads, taps, TIME] = [2, 3, 150];
const attention = { heads, taps };

type Step = (x: readonly number[]) => number[];
type HostParams = Record<string, NDArray>;
/** A mixer with the same in float64, and parameters from a seed. */
interface Case {
  readonly name: string;
  readonly mixer: Mixer;
  readonly plain: (params: Params) => Step;
  readonly adjust?: (params: HostParams) => void;
  /** Which block it is. Default: the first. */
  readonly layer?: number;
}

/** Moves every number of a part of an array. */
function shift(array: NDArray, by: number, from = 0): void {
  for (let index = from; index < array.data.length; index++) array.data[index] = array.data[index]! + by;
}

/** Fills everything with what the row of a gate always is: nothing but its first input, which is one. */
function always(params: HostParams, rows: readonly number[], value: number): void {
  const { input } = params;
  for (const row of rows) {
    for (let column = 0; column < stack.width; column++) {
      input!.data[row * stack.width + column] = column === 0 ? value : 0;
    }
  }
}

const deltaGates = [...Array(2 * heads).keys()].map((index) => 4 * stack.width + index);

const cases: readonly Case[] = [
  {
    name: 'linear attention',
    mixer: linearAttentionMixer(stack, { ...attention, forgetting: 'none' }),
    plain: (params) => linearAttention64(params, heads, [1, 1]),
  },
  {
    name: 'linear attention that forgets',
    mixer: linearAttentionMixer(stack, { ...attention, forgetting: 'spread' }),
    plain: (params) => linearAttention64(params, heads, [1, 1 - 1 / 256]),
  },
  {
    name: 'gated linear attention',
    mixer: gatedLinearAttentionMixer(stack, { ...attention, decay: 'learned' }),
    plain: (params) => gatedLinearAttention64(params, heads),
  },
  {
    name: 'gated linear attention that forgets at once',
    mixer: gatedLinearAttentionMixer(stack, { ...attention, decay: 'learned' }),
    plain: (params) => gatedLinearAttention64(params, heads),
    adjust: ({ decayBias }) => shift(decayBias!, -32),
  },
  {
    name: 'retention',
    mixer: gatedLinearAttentionMixer(stack, { ...attention, decay: 'fixed' }),
    plain: (params) => gatedLinearAttention64(params, heads, [1 - 1 / 32, 1 - 1 / 512]),
  },
  {
    name: 'gated delta rule',
    mixer: gatedDeltaNetMixer(stack, attention),
    plain: (params) => gatedDeltaNet64(params, heads),
  },
  {
    name: 'gated delta rule that replaces everything and fades never',
    mixer: gatedDeltaNetMixer(stack, attention),
    plain: (params) => gatedDeltaNet64(params, heads),
    adjust: (params) => {
      always(params, deltaGates.slice(0, heads), 0);
      always(params, deltaGates.slice(heads), 12);
      shift(params.stepBias!, -14);
    },
  },
  {
    name: 'state space',
    mixer: stateSpaceMixer(stack, { ...attention, stateSize: 5 }),
    plain: (params) => stateSpace64(params, heads, 5),
  },
  {
    name: 'state space that forgets at once',
    mixer: stateSpaceMixer(stack, { ...attention, stateSize: 5 }),
    plain: (params) => stateSpace64(params, heads, 5),
    adjust: ({ stepBias }) => shift(stepBias!, 9),
  },
  {
    name: 'RWKV-7',
    mixer: rwkv7Mixer(stack, { heads }),
    plain: (params) => rwkv764(params, heads),
    adjust: ({ bonus }) => shift(bonus!, 0.3),
  },
  {
    name: 'RWKV-7 that forgets and replaces as fast as it can, beyond the first block',
    layer: 1,
    mixer: rwkv7Mixer(stack, { heads }),
    plain: (params) => rwkv764(params, heads, new Array<number[]>(TIME).fill(firstValue)),
    adjust: ({ decayBias, rateBias }) => {
      shift(decayBias!, 12);
      shift(rateBias!, 12);
    },
  },
];

/** What a first block hands to a later one, for every token the same. */
const firstValue = Array.from({ length: stack.width }, (_, channel) => Math.cos(channel));
const sharedOf = (layer: number) => {
  const shared = new Map<string, tf.Tensor>();
  if (layer > 0) shared.set('value', tf.tensor3d([[firstValue]]));
  return shared;
};

/** A text whose tokens come again, and whose first channel is one. */
function textOf(seed: number): NDArray<'float32'> {
  const rng = Rng.fromSeed(seed);
  const known = rng.normalArray([3, stack.width]);
  const x = rng.normalArray([1, TIME, stack.width]);
  for (let t = 0; t < TIME; t++) {
    const again = t % 4 === 0 ? undefined : known.data.subarray(rng.int(3) * stack.width);
    for (let channel = 0; channel < stack.width; channel++) {
      const place = t * stack.width + channel;
      if (channel === 0) x.data[place] = 1;
      else if (again) x.data[place] = again[channel]!;
    }
  }
  return x;
}

function setUp({ mixer, plain, adjust, layer = 0 }: Case) {
  const params: HostParams = { ...mixer.init(Rng.fromSeed(4), layer) };
  adjust?.(params);
  const x = textOf(5);
  const weights = Rng.fromSeed(6).normalArray([1, TIME, stack.width]);
  const outputs = (given: Params, text: Matrix) => {
    const step = plain(given);
    return Array.from({ length: TIME }, (_, t) =>
      step(Array.from({ length: stack.width }, (__, channel) => text.data[t * stack.width + channel]!)),
    ).flat();
  };
  return { params, x, weights, outputs };
}

async function values(array: DeviceArray): Promise<number[]> {
  return Array.from(await array.data());
}

const largest = (list: readonly number[]) => Math.max(...list.map(Math.abs));
const apart = (a: readonly number[], b: readonly number[]) =>
  largest(a.map((value, index) => value - b[index]!)) / Math.max(largest(b), 1e-3);

describe.each(cases)('$name', (given) => {
  const { mixer, layer = 0 } = given;

  it('in chunks is what plain steps in float64 are, and so are its gradients', async () => {
    const { params, x, weights, outputs } = setUp(given);
    const expected = outputs(params, x);
    const weigh = (list: readonly number[]) =>
      list.reduce((sum, value, index) => sum + value * weights.data[index]!, 0);
    const slopes = Object.entries({ ...params, x }).map(([name, array]) => {
      const places = [...new Set([0, array.data.length >> 1, array.data.length - 1])];
      const at = (place: number, by: number) => {
        const data = Float64Array.from(array.data);
        data[place] = data[place]! + by;
        const moved = { shape: array.shape, data };
        return weigh(name === 'x' ? outputs(params, moved) : outputs({ ...params, [name]: moved }, x));
      };
      return { name, places, slope: places.map((place) => (at(place, 1e-5) - at(place, -1e-5)) / 2e-5) };
    });
    for (const engine of engines) {
      const compiled = engine.compile((leaves: Tensors, text: tf.Tensor, factors: tf.Tensor) => {
        const { aux, gradients } = valueAndGradient(
          (tree: Tensors) => {
            const { x: input, ...rest } = tree;
            const [y] = mixer.mix(rest, input!, mixer.start(1), sharedOf(layer));
            return [tf.sum(tf.mul(y, factors)), y] as const;
          },
          { ...leaves, x: text },
        );
        return { y: aux, gradients };
      });
      const { y, gradients } = await compiled(params, x, weights);
      expect(apart(await values(y), expected), engine.name).toBeLessThan(2e-5);
      for (const { name, places, slope } of slopes) {
        const whole = await values((gradients as Record<string, DeviceArray>)[name]!);
        const scale = Math.max(largest(whole), 0.1);
        places.forEach((place, index) => {
          const error = Math.abs(whole[place]! - slope[index]!) / scale;
          expect(error, `${engine.name} ${name}[${place}]`).toBeLessThan(1e-4);
        });
      }
      await compiled.dispose();
    }
  });

  it('in pieces is what it is in one', async () => {
    const { params, x } = setUp(given);
    for (const engine of engines) {
      const run = (pieces: readonly number[]) =>
        engine.compile((tree: Tensors, text: tf.Tensor) => {
          let state = mixer.start(1);
          let from = 0;
          const reads = pieces.map((count) => {
            const piece = tf.slice(text, [0, from, 0], [1, count, stack.width]);
            from += count;
            const [y, next] = mixer.mix(tree, piece, state, sharedOf(layer));
            state = next;
            return y;
          });
          return { y: tf.concat(reads, 1), state };
        });
      const [whole, cut] = await Promise.all(
        [[TIME], [70, 1, 1, 9, TIME - 81]].map(async (pieces) => {
          const { y, state } = await run(pieces)(params, x);
          return [await values(y), ...(await Promise.all(Object.values(state).map(values)))];
        }),
      );
      for (const [index, list] of whole!.entries()) {
        expect(apart(cut![index]!, list), engine.name).toBeLessThan(2e-5);
      }
    }
  });
});
