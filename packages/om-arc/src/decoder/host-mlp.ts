import type { Place } from '@palimpsest/base';
import type { Activation } from '../config.js';
import type { HostRoom } from './host-room.js';
import type { HostMlp } from './host-weights.js';

/** The MLP of `x`, into `branch`. */
export function applyMlp(room: HostRoom, mlp: HostMlp, x: Place): void {
  const { branch, hidden, gate } = room.scratch;
  const { activation } = room.weights.config;
  if ('plain' in mlp) {
    const last = mlp.plain.length - 1;
    mlp.plain.forEach((map, i) => {
      const from = i === 0 ? x : i % 2 === 1 ? hidden : gate;
      const to = i === last ? branch : i % 2 === 0 ? hidden : gate;
      room.multiply(to, map, from, activation === 'relu' && i < last);
      if (i < last) activate(room, activation, to, map.weight.rows, mlp.beta);
    });
    return;
  }
  if ('gated' in mlp) {
    let from = x;
    for (const map of mlp.gated) {
      room.multiply(gate, map.gate, from);
      activate(room, activation, gate, map.gate.weight.rows, map.beta);
      room.multiply(branch, map.value, from);
      times(room, hidden, gate, branch, map.value.weight.rows);
      from = hidden;
    }
    room.weights.kernels.numbers.copyWithin(branch, hidden, hidden + mlp.gated.at(-1)!.value.weight.rows);
    return;
  }
  room.multiply(gate, mlp.gate, x);
  activate(room, activation, gate, mlp.gate.weight.rows, 1);
  room.multiply(branch, mlp.value, x);
  times(room, hidden, gate, branch, mlp.value.weight.rows);
  room.multiply(branch, mlp.output, hidden);
}

function times(room: HostRoom, y: Place, a: Place, b: Place, count: number): void {
  const { numbers } = room.weights.kernels;
  for (let i = 0; i < count; i++) numbers[y + i] = numbers[a + i]! * numbers[b + i]!;
}

function activate(room: HostRoom, activation: Activation, x: Place, count: number, beta: number): void {
  const { kernels } = room.weights;
  if (activation === 'relu') return;
  if (activation === 'gelu' || activation === 'geglu' || activation === 'ffngeglu') {
    kernels.gelu(x, count);
    return;
  }
  const { numbers } = kernels;
  const sigmoid = (value: number) => 1 / (1 + Math.exp(-value));
  for (let i = x; i < x + count; i++) {
    const value = numbers[i]!;
    if (activation === 'abs') numbers[i] = Math.abs(value);
    else if (activation === 'ffnglu') numbers[i] = sigmoid(value);
    else numbers[i] = value * sigmoid(activation === 'ffnswiglu' ? value : beta * value);
  }
}
