import { binary, unary } from './emit.js';
import type { GraphBuilder, Value } from './graph.js';
import { reduce } from './reduce.js';

/** Rows up to which the runtime's own nodes, which add into one float32, keep all digits that the exponentials have. */
const LONGEST_PLAIN_ROW = 2 ** 14;

const lastAxis = (x: Value) => x.shape.length - 1;
const isLong = (x: Value) => (x.shape.at(-1) ?? 1) > LONGEST_PLAIN_ROW;

/** x minus the largest of its row, and the sum of the exponentials of that, for rows too long for one node. */
function shiftedRow(graph: GraphBuilder, x: Value) {
  const largest = reduce(graph, 'ReduceMax', x, [lastAxis(x)], true);
  const shifted = binary(graph, 'Sub', x, largest);
  const exponentials = unary(graph, 'Exp', shifted);
  return { shifted, exponentials, total: reduce(graph, 'ReduceSum', exponentials, [lastAxis(x)], true) };
}

/** Softmax over the last axis. */
export function softmax(graph: GraphBuilder, x: Value): Value {
  if (!isLong(x)) return graph.node('Softmax', [x], x, { axis: lastAxis(x) });
  const { exponentials, total } = shiftedRow(graph, x);
  return binary(graph, 'Div', exponentials, total);
}

/** Logarithm of the softmax over the last axis. */
export function logSoftmax(graph: GraphBuilder, x: Value): Value {
  // WebGPU has no such node.
  if (!isLong(x) && graph.bits === 64) return graph.node('LogSoftmax', [x], x, { axis: lastAxis(x) });
  const { shifted, total } = shiftedRow(graph, x);
  return binary(graph, 'Sub', shifted, unary(graph, 'Log', total));
}
