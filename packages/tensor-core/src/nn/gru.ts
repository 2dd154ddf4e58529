import { defineOp, type TensorSpec } from '../op.js';
import { scan } from '../scan.js';
import { tf } from '../tf.js';
import { concat, reshape } from '../trace/emit.js';
import { linear } from './linear.js';
import { checkRecurrent, shifted } from './recurrence.js';

/** Weights of one layer; the rows of the gates lie one behind the other: update, reset, candidate. */
export interface GruWeights {
  /** `[3 · hidden, in]` */
  readonly inputWeight: tf.Tensor;
  /** `[3 · hidden, hidden]` */
  readonly stateWeight: tf.Tensor;
  /** `[3 · hidden]` */
  readonly inputBias: tf.Tensor;
  /** `[3 · hidden]` */
  readonly stateBias: tf.Tensor;
}

interface Gates {
  readonly update: tf.Tensor;
  readonly reset: tf.Tensor;
  readonly candidate: tf.Tensor;
  /** What the reset gate weighs: the candidate's part of the state's map. */
  readonly recalled: tf.Tensor;
}

const split3 = (x: tf.Tensor) => tf.split(x, 3, -1) as [tf.Tensor, tf.Tensor, tf.Tensor];

function gatesOf(fromInput: tf.Tensor, fromState: tf.Tensor): Gates {
  const [inputUpdate, inputReset, inputCandidate] = split3(fromInput);
  const [stateUpdate, stateReset, recalled] = split3(fromState);
  const update = tf.sigmoid(tf.add(inputUpdate, stateUpdate));
  const reset = tf.sigmoid(tf.add(inputReset, stateReset));
  return { update, reset, candidate: tf.tanh(tf.add(inputCandidate, tf.mul(reset, recalled))), recalled };
}

const gruOp = defineOp<Record<string, never>>({
  name: 'Gru',
  infer: ([x, state]) => {
    const [time, batch] = x!.shape as [number, number];
    return [{ shape: [time, batch, state!.shape[1]!], dtype: 'float32' }, state!];
  },
  compose: ([x, state, inputWeight, stateWeight, inputBias, stateBias]) => {
    const turns = scan(
      { carried: [state!], scanned: [linear(x!, inputWeight!, inputBias!)], reverse: false },
      ([h], [entry]) => {
        const { update, candidate } = gatesOf(entry!, linear(h!, stateWeight!, stateBias!));
        const next = tf.add(candidate, tf.mul(update, tf.sub(h!, candidate)));
        return { carried: [next], stacked: [next] };
      },
    );
    return [turns.stacked[0]!, turns.carried[0]!];
  },
  trace: (graph, [x, state, inputWeight, stateWeight, inputBias, stateBias]) => {
    const [time, batch] = x!.shape as [number, number];
    const hidden = state!.shape[1]!;
    const one = (value: typeof x) => reshape(graph, value!, [1, ...value!.shape]);
    const bias = one(concat(graph, [inputBias!, stateBias!], 0));
    const [states, last] = graph.nodes(
      'GRU',
      [x!, one(inputWeight), one(stateWeight), bias, undefined, one(state)],
      [
        { shape: [time, 1, batch, hidden], dtype: 'float32' },
        { shape: [1, batch, hidden], dtype: 'float32' },
      ],
      { hidden_size: hidden, linear_before_reset: 1 },
    );
    return [reshape(graph, states!, [time, batch, hidden]), reshape(graph, last!, [batch, hidden])];
  },
  gradient: ({ outputGradients: [dStates, dLast], inputs, outputs: [states] }) => {
    const [x, state, inputWeight, stateWeight, inputBias, stateBias] = inputs as [
      tf.Tensor,
      tf.Tensor,
      tf.Tensor,
      tf.Tensor,
      tf.Tensor,
      tf.Tensor,
    ];
    const [time, batch, hidden] = states!.shape as [number, number, number];
    const before = shifted(state, states!);
    const gates = gatesOf(linear(x, inputWeight, inputBias), linear(before, stateWeight, stateBias));
    const { update, reset, candidate, recalled } = gates;
    const keep = tf.sub(1, update);
    // What a unit of gradient at a state is at each gate before its nonlinearity, and at the state's map.
    const toUpdate = tf.mul(tf.sub(before, candidate), tf.mul(update, keep));
    const toCandidate = tf.mul(keep, tf.sub(1, tf.square(candidate)));
    const toRecalled = tf.mul(toCandidate, reset);
    const toReset = tf.mul(tf.mul(toRecalled, recalled), tf.sub(1, reset));
    const toStateMap = tf.concat([toUpdate, toReset, toRecalled], -1);
    const turns = scan(
      { carried: [dLast!], scanned: [dStates!, update, toStateMap], reverse: true },
      ([later], [own, stays, factors]) => {
        const gradient = tf.add(own!, later!);
        const through = tf.matMul(
          tf.mul(tf.concat([gradient, gradient, gradient], -1), factors!),
          stateWeight,
        );
        return { carried: [tf.add(tf.mul(gradient, stays!), through)], stacked: [gradient] };
      },
    );
    const gradient = turns.stacked[0]!;
    const atCandidate = tf.mul(gradient, toCandidate);
    const atGates = tf.mul(tf.concat([gradient, gradient], -1), tf.concat([toUpdate, toReset], -1));
    const rows = (value: tf.Tensor) => tf.reshape(value, [time * batch, value.shape[2]!]) as tf.Tensor2D;
    const atInput = rows(tf.concat([atGates, atCandidate], -1));
    const atState = rows(tf.concat([atGates, tf.mul(gradient, toRecalled)], -1));
    return [
      tf.reshape(tf.matMul(atInput, inputWeight as tf.Tensor2D), x.shape),
      turns.carried[0]!,
      tf.matMul(tf.transpose(atInput), rows(x)),
      tf.matMul(tf.transpose(atState), tf.reshape(before, [time * batch, hidden])),
      tf.sum(atInput, 0),
      tf.sum(atState, 0),
    ];
  },
});

/**
 * A layer of gated recurrent units (Cho et al. 2014), in the variant of cuDNN and PyTorch, where the reset gate weighs the
 * state after its map: h' = (1 − z) ⊙ n + z ⊙ h with z = σ(W_z x + U_z h + b_z), r likewise, n = tanh(W_n x + c_n + r ⊙
 * (U_n h + b_n)). In a traced graph the forward pass is the runtime's `GRU` node and the backward pass one `Scan`, with
 * everything that does not wait for the token before in products over all tokens.
 * @param x `[time, batch, in]`: time first, as the loop goes
 * @param state `[batch, hidden]`
 * @returns the states after every token, `[time, batch, hidden]`, and the last one, `[batch, hidden]`
 * @throws InputError when the shapes do not fit.
 */
export function gru(x: tf.Tensor, state: tf.Tensor, weights: GruWeights): [tf.Tensor, tf.Tensor] {
  const { inputWeight, stateWeight, inputBias, stateBias } = weights;
  checkRecurrent('A GRU', 3, x as TensorSpec, state as TensorSpec, {
    inputWeight: inputWeight as TensorSpec,
    stateWeight: stateWeight as TensorSpec,
    inputBias: inputBias as TensorSpec,
    stateBias: stateBias as TensorSpec,
  });
  const [states, last] = gruOp([x, state, inputWeight, stateWeight, inputBias, stateBias], {});
  return [states!, last!];
}
