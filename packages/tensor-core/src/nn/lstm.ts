import { defineOp, type TensorSpec } from '../op.js';
import { scan } from '../scan.js';
import { tf } from '../tf.js';
import { concat, reshape } from '../trace/emit.js';
import { linear } from './linear.js';
import { checkRecurrent, shifted } from './recurrence.js';

/** Weights of one layer; the rows of the gates lie one behind the other: input, output, forget, candidate. */
export interface LstmWeights {
  /** `[4 · hidden, in]` */
  readonly inputWeight: tf.Tensor;
  /** `[4 · hidden, hidden]` */
  readonly stateWeight: tf.Tensor;
  /** `[4 · hidden]` */
  readonly bias: tf.Tensor;
}

/** What a layer carries from token to token, each `[batch, hidden]`. */
export interface LstmState {
  readonly hidden: tf.Tensor;
  readonly cell: tf.Tensor;
}

interface Gates {
  readonly input: tf.Tensor;
  readonly output: tf.Tensor;
  readonly forget: tf.Tensor;
  readonly candidate: tf.Tensor;
}

function gatesOf(fromInput: tf.Tensor, fromState: tf.Tensor): Gates {
  const parts = tf.split(tf.add(fromInput, fromState), 4, -1);
  const [input, output, forget] = parts.map((part) => tf.sigmoid(part));
  return { input: input!, output: output!, forget: forget!, candidate: tf.tanh(parts[3]!) };
}

const lstmOp = defineOp<Record<string, never>>({
  name: 'Lstm',
  infer: ([x, hidden, cell]) => {
    const [time, batch] = x!.shape as [number, number];
    return [{ shape: [time, batch, hidden!.shape[1]!], dtype: 'float32' }, hidden!, cell!];
  },
  compose: ([x, hidden, cell, inputWeight, stateWeight, bias]) => {
    const turns = scan(
      { carried: [hidden!, cell!], scanned: [linear(x!, inputWeight!, bias!)], reverse: false },
      ([h, c], [entry]) => {
        const { input, output, forget, candidate } = gatesOf(entry!, linear(h!, stateWeight!));
        const nextCell = tf.add(tf.mul(forget, c!), tf.mul(input, candidate));
        const next = tf.mul(output, tf.tanh(nextCell));
        return { carried: [next, nextCell], stacked: [next] };
      },
    );
    return [turns.stacked[0]!, ...turns.carried];
  },
  trace: (graph, [x, hidden, cell, inputWeight, stateWeight, bias]) => {
    const [time, batch] = x!.shape as [number, number];
    const width = hidden!.shape[1]!;
    const one = (value: typeof x) => reshape(graph, value!, [1, ...value!.shape]);
    const biases = one(concat(graph, [bias!, graph.fill(0, [4 * width], 'float32')], 0));
    const last = { shape: [1, batch, width], dtype: 'float32' } as const;
    const [states, lastHidden, lastCell] = graph.nodes(
      'LSTM',
      [x!, one(inputWeight), one(stateWeight), biases, undefined, one(hidden), one(cell)],
      [{ shape: [time, 1, batch, width], dtype: 'float32' }, last, last],
      { hidden_size: width },
    );
    return [
      reshape(graph, states!, [time, batch, width]),
      reshape(graph, lastHidden!, [batch, width]),
      reshape(graph, lastCell!, [batch, width]),
    ];
  },
  gradient: ({ outputGradients: [dStates, dHidden, dCell], inputs, outputs: [states] }) => {
    const [x, hidden, cell, inputWeight, stateWeight, bias] = inputs as [
      tf.Tensor,
      tf.Tensor,
      tf.Tensor,
      tf.Tensor,
      tf.Tensor,
      tf.Tensor,
    ];
    const [time, batch, width] = states!.shape as [number, number, number];
    const before = shifted(hidden, states!);
    const gates = gatesOf(linear(x, inputWeight, bias), linear(before, stateWeight));
    const { input, output, forget, candidate } = gates;
    // The runtime's node keeps no cells; they are a sum that the known gates weigh.
    const cells = scan(
      { carried: [cell], scanned: [forget, tf.mul(input, candidate)], reverse: false },
      ([c], [stays, added]) => {
        const next = tf.add(tf.mul(c!, stays!), added!);
        return { carried: [next], stacked: [next] };
      },
    ).stacked[0]!;
    const squashed = tf.tanh(cells);
    const toCell = tf.mul(output, tf.sub(1, tf.square(squashed)));
    const slope = (gate: tf.Tensor) => tf.mul(gate, tf.sub(1, gate));
    const toGates = tf.concat(
      [
        tf.mul(candidate, slope(input)),
        tf.mul(squashed, slope(output)),
        tf.mul(shifted(cell, cells), slope(forget)),
        tf.mul(input, tf.sub(1, tf.square(candidate))),
      ],
      -1,
    );
    const turns = scan(
      { carried: [dHidden!, dCell!], scanned: [dStates!, toCell, forget, toGates], reverse: true },
      ([later, laterCell], [own, intoCell, stays, factors]) => {
        const atHidden = tf.add(own!, later!);
        const atCell = tf.add(laterCell!, tf.mul(atHidden, intoCell!));
        const atGates = tf.mul(tf.concat([atCell, atHidden, atCell, atCell], -1), factors!);
        return { carried: [tf.matMul(atGates, stateWeight), tf.mul(atCell, stays!)], stacked: [atGates] };
      },
    );
    const atGates = tf.reshape(turns.stacked[0]!, [time * batch, 4 * width]) as tf.Tensor2D;
    const byGate = tf.transpose(atGates);
    return [
      tf.reshape(tf.matMul(atGates, inputWeight as tf.Tensor2D), x.shape),
      ...turns.carried,
      tf.matMul(byGate, tf.reshape(x, [time * batch, x.shape[2]!])),
      tf.matMul(byGate, tf.reshape(before, [time * batch, width])),
      tf.sum(atGates, 0),
    ];
  },
});

/**
 * A layer of long short-term memory (Hochreiter & Schmidhuber 1997, with the forget gate of Gers et al. 2000): c' = f ⊙ c +
 * i ⊙ g and h' = o ⊙ tanh(c'), with i, o, f = σ(W x + U h + b) and g = tanh(W x + U h + b). In a traced graph the forward
 * pass is the runtime's `LSTM` node and the backward pass two `Scan`s over what does wait for the token before.
 * @param x `[time, batch, in]`: time first, as the loop goes
 * @returns the hidden states after every token, `[time, batch, hidden]`, and the state after the last one
 * @throws InputError when the shapes do not fit.
 */
export function lstm(x: tf.Tensor, state: LstmState, weights: LstmWeights): [tf.Tensor, LstmState] {
  const { inputWeight, stateWeight, bias } = weights;
  checkRecurrent('An LSTM', 4, x as TensorSpec, state.hidden as TensorSpec, {
    inputWeight: inputWeight as TensorSpec,
    stateWeight: stateWeight as TensorSpec,
    bias: bias as TensorSpec,
  });
  const inputs = [x, state.hidden, state.cell, inputWeight, stateWeight, bias];
  const [states, hidden, cell] = lstmOp(inputs, {});
  return [states!, { hidden: hidden!, cell: cell! }];
}
