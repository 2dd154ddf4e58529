/** GRU and LSTM as plain loops over float64, as their formulas are written. */

export type Matrix = { readonly shape: readonly number[]; readonly data: ArrayLike<number> };
export type Named = Readonly<Record<string, Matrix>>;

const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));

/** Row `row` of a weight times a vector, plus a bias. */
function affine(weight: Matrix, row: number, vector: readonly number[], bias: number): number {
  return vector.reduce(
    (sum, value, column) => sum + weight.data[row * vector.length + column]! * value,
    bias,
  );
}

type Turn<S> = (input: readonly number[], state: S) => S;

/** Runs a cell over x [time, batch, in], lane by lane. @returns states [time][batch] */
function overTime<S>(x: Matrix, first: (lane: number) => S, turn: Turn<S>): S[][] {
  const [time, batch, width] = x.shape as [number, number, number];
  const states: S[][] = Array.from({ length: time }, () => []);
  for (let lane = 0; lane < batch; lane++) {
    let state = first(lane);
    for (let t = 0; t < time; t++) {
      const begin = (t * batch + lane) * width;
      state = turn(
        Array.from({ length: width }, (_, index) => x.data[begin + index]!),
        state,
      );
      states[t]!.push(state);
    }
  }
  return states;
}

const rowOf = (matrix: Matrix, lane: number) =>
  Array.from({ length: matrix.shape[1]! }, (_, index) => matrix.data[lane * matrix.shape[1]! + index]!);

/** @returns all states, and the last one of every lane, flattened */
export function gru64({ x, hidden, inputWeight, stateWeight, inputBias, stateBias }: Named): number[][] {
  const width = hidden!.shape[1]!;
  const states = overTime(
    x!,
    (lane) => rowOf(hidden!, lane),
    (input, h) =>
      h.map((before, unit) => {
        const from = (gate: number) =>
          affine(inputWeight!, gate * width + unit, input, inputBias!.data[gate * width + unit]!);
        const of = (gate: number) =>
          affine(stateWeight!, gate * width + unit, h, stateBias!.data[gate * width + unit]!);
        const [update, reset] = [sigmoid(from(0) + of(0)), sigmoid(from(1) + of(1))];
        return (1 - update) * Math.tanh(from(2) + reset * of(2)) + update * before;
      }),
  );
  return [states.flat(2), states.at(-1)!.flat()];
}

/** @returns all hidden states, and the last hidden state and cell of every lane, flattened */
export function lstm64({ x, hidden, cell, inputWeight, stateWeight, bias }: Named): number[][] {
  const width = hidden!.shape[1]!;
  const states = overTime(
    x!,
    (lane) => ({ h: rowOf(hidden!, lane), c: rowOf(cell!, lane) }),
    (input, { h, c }) => {
      const gate = (place: number, unit: number) => {
        const row = place * width + unit;
        return affine(inputWeight!, row, input, 0) + affine(stateWeight!, row, h, bias!.data[row]!);
      };
      const next = c.map((before, unit) => {
        const [write, forget] = [sigmoid(gate(0, unit)), sigmoid(gate(2, unit))];
        return forget * before + write * Math.tanh(gate(3, unit));
      });
      return { h: next.map((value, unit) => sigmoid(gate(1, unit)) * Math.tanh(value)), c: next };
    },
  );
  const last = states.at(-1)!;
  return [states.flat().flatMap(({ h }) => h), last.flatMap(({ h }) => h), last.flatMap(({ c }) => c)];
}
