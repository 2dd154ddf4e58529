import type { MakeHostMixer } from './host-mixer.js';

/** A layer of gated recurrent units, as `gruMixer` has it. */
export const hostGru =
  (width: number): MakeHostMixer =>
  (weights, params) => {
    const { kernels } = weights;
    const [fromInput, fromState] = [weights.matrix(params.inputWeight!), weights.matrix(params.stateWeight!)];
    const [inputBias, stateBias] = [weights.vector(params.inputBias!), weights.vector(params.stateBias!)];
    const [input, recalled] = [kernels.allocate(3 * width), kernels.allocate(3 * width)];
    return {
      open(state) {
        const hidden = state('hidden');
        return (y, x) => {
          weights.multiply(input, fromInput, x, inputBias);
          weights.multiply(recalled, fromState, hidden, stateBias);
          kernels.memories.gruState(hidden, input, recalled, width);
          kernels.numbers.copyWithin(y, hidden, hidden + width);
        };
      },
    };
  };

/** A layer of long short-term memory, as `lstmMixer` has it. */
export const hostLstm =
  (width: number): MakeHostMixer =>
  (weights, params) => {
    const { kernels } = weights;
    const [fromInput, fromState] = [weights.matrix(params.inputWeight!), weights.matrix(params.stateWeight!)];
    const bias = weights.vector(params.bias!);
    const [input, recalled] = [kernels.allocate(4 * width), kernels.allocate(4 * width)];
    return {
      open(state) {
        const [hidden, cell] = [state('hidden'), state('cell')];
        return (y, x) => {
          weights.multiply(input, fromInput, x, bias);
          weights.multiply(recalled, fromState, hidden);
          kernels.memories.lstmState(hidden, cell, input, recalled, width);
          kernels.numbers.copyWithin(y, hidden, hidden + width);
        };
      },
    };
  };
