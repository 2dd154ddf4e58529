import { gru, lstm, type Rng, tf } from '@palimpsest/tensor-core';
import { hostGru, hostLstm } from '../host/recurrent.js';
import type { Mixer, Stack, Tensors } from './mixer.js';

/** [batch, time, width] as [time, batch, width], or back. */
const turned = (x: tf.Tensor) => tf.transpose(x, [1, 0, 2]);

/** Weights and biases as PyTorch's layers begin: uniform up to 1 / √width. */
function freshWeights(rng: Rng, width: number, shapes: Readonly<Record<string, readonly number[]>>) {
  const most = 1 / Math.sqrt(width);
  return Object.fromEntries(
    Object.entries(shapes).map(([name, shape]) => [name, rng.uniformArray(shape, -most, most)]),
  );
}

/** A layer of gated recurrent units (Cho et al. 2014). */
export function gruMixer({ width }: Stack): Mixer {
  const rows = 3 * width;
  return {
    init: (rng) =>
      freshWeights(rng, width, {
        inputWeight: [rows, width],
        stateWeight: [rows, width],
        inputBias: [rows],
        stateBias: [rows],
      }),
    start: (batch) => ({ hidden: tf.zeros([batch, width]) }),
    host: hostGru(width),
    mix({ inputWeight, stateWeight, inputBias, stateBias }: Tensors, x, state) {
      const [states, hidden] = gru(turned(x), state.hidden!, {
        inputWeight: inputWeight!,
        stateWeight: stateWeight!,
        inputBias: inputBias!,
        stateBias: stateBias!,
      });
      return [turned(states), { hidden }];
    },
  };
}

/** A layer of long short-term memory (Hochreiter & Schmidhuber 1997). */
export function lstmMixer({ width }: Stack): Mixer {
  const rows = 4 * width;
  return {
    init: (rng) =>
      freshWeights(rng, width, { inputWeight: [rows, width], stateWeight: [rows, width], bias: [rows] }),
    start: (batch) => ({ hidden: tf.zeros([batch, width]), cell: tf.zeros([batch, width]) }),
    host: hostLstm(width),
    mix({ inputWeight, stateWeight, bias }: Tensors, x, state) {
      const weights = { inputWeight: inputWeight!, stateWeight: stateWeight!, bias: bias! };
      const before = { hidden: state.hidden!, cell: state.cell! };
      const [states, { hidden, cell }] = lstm(turned(x), before, weights);
      return [turned(states), { hidden, cell }];
    },
  };
}
