/** The mixers of the controls token by token in float64, as their formulas are written; one text at a time. */

export interface Matrix {
  readonly shape: readonly number[];
  readonly data: ArrayLike<number>;
}
export type Params = Readonly<Record<string, Matrix>>;
type Vector = readonly number[];

const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));
const silu = (x: number) => x * sigmoid(x);
const softplus = (x: number) => Math.log1p(Math.exp(-Math.abs(x))) + Math.max(x, 0);
const dot = (a: Vector, b: Vector) => a.reduce((sum, value, index) => sum + value * b[index]!, 0);
const listOf = ({ data }: Matrix) => Array.from(data);

function times({ shape, data }: Matrix, x: Vector): number[] {
  const [rows, columns] = shape as [number, number];
  return Array.from({ length: rows }, (_, row) =>
    x.reduce((sum, value, column) => sum + data[row * columns + column]! * value, 0),
  );
}

function rmsNorm(x: Vector, gain: Vector, epsilon = 1e-6): number[] {
  const root = Math.sqrt(dot(x, x) / x.length + epsilon);
  return x.map((value, index) => (gain[index]! * value) / root);
}

/** Cuts a vector into parts of the given lengths. */
function cut(x: Vector, ...lengths: number[]): Vector[] {
  let from = 0;
  return lengths.map((length) => {
    from += length;
    return x.slice(from - length, from);
  });
}

const perHead = (x: Vector, heads: number) => cut(x, ...new Array<number>(heads).fill(x.length / heads));

/** Sees every vector of a text with those before it. */
function convolution(kernel: Matrix): (x: Vector) => number[] {
  const [taps, width] = kernel.shape as [number, number];
  const recent: Vector[] = [];
  return (x) => {
    recent.unshift(x);
    recent.length = Math.min(recent.length, taps);
    return Array.from({ length: width }, (_, channel) =>
      recent.reduce((sum, before, tap) => sum + kernel.data[tap * width + channel]! * before[channel]!, 0),
    );
  };
}

/** A memory of rows (by key channel) of values. */
class Rows {
  readonly rows: number[][];

  constructor(keyWidth: number, valueWidth: number) {
    this.rows = Array.from({ length: keyWidth }, () => new Array<number>(valueWidth).fill(0));
  }

  fade(decay: (channel: number) => number): void {
    this.rows.forEach((row, channel) => {
      row.forEach((value, index) => {
        row[index] = value * decay(channel);
      });
    });
  }

  add(key: Vector, value: Vector): void {
    this.rows.forEach((row, channel) => {
      value.forEach((part, index) => {
        row[index] = row[index]! + key[channel]! * part;
      });
    });
  }

  read(query: Vector): number[] {
    return this.rows[0]!.map((_, index) =>
      this.rows.reduce((sum, row, channel) => sum + query[channel]! * row[index]!, 0),
    );
  }
}

type Step = (x: Vector) => number[];

export function linearAttention64(params: Params, heads: number, decays: Vector): Step {
  const width = params.output!.shape[0]!;
  const head = width / heads;
  const seen = convolution(params.kernel!);
  const memories = decays.map(() => new Rows(head, head + 1));
  const feature = (x: Vector) => x.map((value) => (value > 0 ? value + 1 : Math.exp(value)));
  return (x) => {
    const [q, k, v] = cut(times(params.input!, seen(x)), width, width, width).map((part) =>
      perHead(part, heads),
    );
    const read = memories.flatMap((memory, index) => {
      memory.fade(() => decays[index]!);
      memory.add(feature(k![index]!), [...v![index]!, 1]);
      const sums = memory.read(feature(q![index]!));
      return sums.slice(0, head).map((value) => value / (sums[head]! + 1e-6));
    });
    return times(params.output!, read);
  };
}

/** @param fixed decays per head; without them they are learned */
export function gatedLinearAttention64(params: Params, heads: number, fixed?: Vector): Step {
  const width = params.output!.shape[0]!;
  const head = width / heads;
  const seen = convolution(params.kernel!);
  const memories = Array.from({ length: heads }, () => new Rows(head, head));
  return (x) => {
    const convolved = seen(x);
    const [q, k, v, gate] = cut(times(params.input!, convolved), width, width, width, width);
    const logits = fixed ? [] : times(params.decayUp!, times(params.decayDown!, convolved));
    const read = memories.flatMap((memory, index) => {
      memory.fade((channel) => {
        const place = index * head + channel;
        return fixed ? fixed[index]! : sigmoid(logits[place]! + params.decayBias!.data[place]!) ** (1 / 16);
      });
      memory.add(perHead(k!, heads)[index]!, perHead(v!, heads)[index]!);
      const query = perHead(q!, heads)[index]!.map((value) => value / Math.sqrt(head));
      return rmsNorm(memory.read(query), listOf(params.norm!));
    });
    return times(
      params.output!,
      read.map((value, index) => value * silu(gate![index]!)),
    );
  };
}

const decayOf = (params: Params, head: number, logit: number) =>
  Math.exp(-Math.exp(params.logRate!.data[head]!) * softplus(logit + params.stepBias!.data[head]!));

export function gatedDeltaNet64(params: Params, heads: number): Step {
  const width = params.output!.shape[0]!;
  const head = width / heads;
  const seen = convolution(params.kernel!);
  const memories = Array.from({ length: heads }, () => new Rows(head, head));
  const unit = (x: Vector) => x.map((value) => value / Math.sqrt(dot(x, x) + 1e-6));
  return (x) => {
    const [before, gate, steps, rates] = cut(times(params.input!, x), 3 * width, width, heads, heads);
    const [q, k, v] = cut(seen(before!).map(silu), width, width, width).map((part) => perHead(part, heads));
    const read = memories.flatMap((memory, index) => {
      const key = unit(k![index]!);
      memory.fade(() => decayOf(params, index, steps![index]!));
      const recalled = memory.read(key);
      const rate = sigmoid(rates![index]!);
      memory.add(
        key,
        v![index]!.map((value, channel) => rate * (value - recalled[channel]!)),
      );
      const query = unit(q![index]!).map((value) => value / Math.sqrt(head));
      return rmsNorm(memory.read(query), listOf(params.norm!));
    });
    return times(
      params.output!,
      read.map((value, index) => value * silu(gate![index]!)),
    );
  };
}

export function stateSpace64(params: Params, heads: number, stateSize: number): Step {
  const width = params.output!.shape[0]!;
  const seen = convolution(params.kernel!);
  const memories = Array.from({ length: heads }, () => new Rows(stateSize, width / heads));
  return (x) => {
    const [gate, before, steps] = cut(times(params.input!, x), width, width + 2 * stateSize, heads);
    const [inputs, writes, reads] = cut(seen(before!).map(silu), width, stateSize, stateSize);
    const read = memories.flatMap((memory, index) => {
      const own = perHead(inputs!, heads)[index]!;
      const step = softplus(steps![index]! + params.stepBias!.data[index]!);
      memory.fade(() => decayOf(params, index, steps![index]!));
      memory.add(
        writes!,
        own.map((value) => step * value),
      );
      return memory.read(reads!).map((value, channel) => value + params.skip!.data[index]! * own[channel]!);
    });
    const gated = read.map((value, index) => value * silu(gate![index]!));
    return times(params.output!, rmsNorm(gated, listOf(params.norm!)));
  };
}

/** @param firsts values of the first block by token; without them the block is the first */
export function rwkv764(params: Params, heads: number, firsts?: readonly Vector[]): Step {
  const width = params.output!.shape[0]!;
  const head = width / heads;
  const memories = Array.from({ length: heads }, () => new Rows(head, head));
  const per = (name: string) => listOf(params[name]!);
  const low = (name: string, x: Vector, between = (value: number) => value) =>
    times(params[`${name}Up`]!, times(params[`${name}Down`]!, x).map(between)).map(
      (value, index) => value + (params[`${name}Bias`]?.data[index] ?? 0),
    );
  let before: Vector = new Array<number>(width).fill(0);
  let token = -1;
  return (x) => {
    token += 1;
    const mixed = (role: number) =>
      x.map((value, index) => value + (before[index]! - value) * params.shift!.data[role * width + index]!);
    const receptance = times(params.receptance!, mixed(0));
    const decay = low('decay', mixed(1), Math.tanh).map((value) =>
      Math.exp(-Math.exp(-0.5) * sigmoid(value)),
    );
    const written = times(params.key!, mixed(2));
    const own = times(params.value!, mixed(3));
    const measure = firsts ? low('first', mixed(3)).map(sigmoid) : [];
    const value = own.map((part, index) =>
      firsts ? part + (firsts[token]![index]! - part) * measure[index]! : part,
    );
    const rate = low('rate', mixed(4)).map(sigmoid);
    const gate = low('gate', mixed(5), sigmoid);
    const key = written.map((part, index) => part * (1 + (rate[index]! - 1) * per('rateScale')[index]!));
    const long = written.map((part, index) => part * per('removalScale')[index]!);
    before = x;
    const read = memories.flatMap((memory, index) => {
      const of = (list: Vector) => perHead(list, heads)[index]!;
      const direction = of(long).map((part) => part / Math.sqrt(dot(of(long), of(long)) + 1e-6));
      const recalled = memory.read(direction);
      memory.fade((channel) => of(decay)[channel]!);
      memory.add(
        direction.map((part, channel) => -part * of(rate)[channel]!),
        recalled,
      );
      memory.add(of(key), of(value));
      const sums = memory.read(of(receptance));
      const mean = sums.reduce((total, part) => total + part, 0) / head;
      const variance = sums.reduce((total, part) => total + (part - mean) ** 2, 0) / head;
      const present = of(receptance).reduce(
        (total, part, channel) => total + part * of(key)[channel]! * of(per('bonus'))[channel]!,
        0,
      );
      return sums.map(
        (part, channel) =>
          ((part - mean) / Math.sqrt(variance + 64e-5)) * per('norm')[channel]! +
          per('normBias')[channel]! +
          present * of(value)[channel]!,
      );
    });
    return times(
      params.output!,
      read.map((part, index) => part * gate[index]!),
    );
  };
}
