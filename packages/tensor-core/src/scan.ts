import { formatShape, InputError } from '@palimpsest/base';
import { stopGradient } from './gradient.js';
import { TRACE_BACKEND } from './op.js';
import { tf } from './tf.js';
import { type ScanTensors, type TensorTurn, traceScan } from './trace/backend.js';

/**
 * Runs a body once per entry of the scanned tensors, in order, carrying tensors from turn to turn. In a traced graph it
 * becomes one `Scan` node with the body as its subgraph, of the same size for any number of turns. Forward only: no
 * gradient flows; an op that is computed by a scan gives its own, which is another scan.
 * @param operands `carried`, before the first turn; `scanned`, each with one entry per turn along the first axis; `reverse`,
 *   from the last entry to the first (what is stacked still lies at the place of its entry)
 * @param body gives the carried tensors after the turn, in the same shapes, and tensors to be stacked
 * @returns the carried tensors after the last turn, and what the turns gave, `[turns, ...]`
 * @throws InputError when the scanned tensors differ in their number of entries or have none, or a carried tensor changes its
 *   shape.
 */
export function scan(
  operands: ScanTensors,
  body: (carried: readonly tf.Tensor[], entries: readonly tf.Tensor[]) => TensorTurn,
): TensorTurn {
  const turns = operands.scanned[0]?.shape[0] ?? 0;
  if (turns === 0 || operands.scanned.some(({ shape }) => shape[0] !== turns)) {
    const shapes = operands.scanned.map(({ shape }) => formatShape(shape)).join(', ');
    throw new InputError(
      `A scan needs tensors of one and the same number of entries along the first axis, at least one, but got ${shapes || 'none'}.`,
    );
  }
  const [carried, scanned] = [operands.carried, operands.scanned].map((list) => list.map(stopGradient));
  const cut = { carried: carried!, scanned: scanned!, reverse: operands.reverse };
  const checked: typeof body = (before, entries) => {
    const turn = body(before, entries);
    checkShapes(before, turn.carried);
    return turn;
  };
  const result = tf.engine().backendName === TRACE_BACKEND ? traceScan(cut, checked) : runScan(cut, checked);
  return { carried: result.carried.map(stopGradient), stacked: result.stacked.map(stopGradient) };
}

function checkShapes(before: readonly tf.Tensor[], after: readonly tf.Tensor[]): void {
  const [given, got] = [before, after].map((list) => list.map(({ shape }) => formatShape(shape)).join(', '));
  if (given !== got) {
    throw new InputError(`A scan carries tensors of shape ${given}, but a turn gave ${got}.`);
  }
}

/** The loop itself, for engines that compute at once. */
function runScan(
  { carried, scanned, reverse }: ScanTensors,
  body: (carried: readonly tf.Tensor[], entries: readonly tf.Tensor[]) => TensorTurn,
): TensorTurn {
  const entries = scanned.map((tensor) => tf.unstack(tensor));
  const turns = entries[0]!.map((_, turn) => turn);
  const given: (readonly tf.Tensor[])[] = [];
  let state = carried;
  for (const turn of reverse ? turns.reverse() : turns) {
    const result = body(
      state,
      entries.map((list) => list[turn]!),
    );
    state = result.carried;
    given[turn] = result.stacked;
  }
  return {
    carried: state,
    stacked: given[0]!.map((_, place) => tf.stack(given.map((list) => list[place]!))),
  };
}
