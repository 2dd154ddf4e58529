import { formatShape, InputError, treeLeaves, treeMap } from '@palimpsest/base';
import { stopGradientTree } from './gradient.js';
import { TRACE_BACKEND } from './op.js';
import { tf } from './tf.js';
import { traceConditional } from './trace/backend.js';

/**
 * Computes one of two trees of tensors, whichever the predicate says, and not the other: work that is seldom due costs
 * nothing while it is not. In a traced graph it becomes an `If` node with two subgraphs. Forward only: no gradient flows.
 * @param predicate bool scalar
 * @param ifTrue must give the same structure, shapes and dtypes as `ifFalse`
 * @throws InputError when the predicate is no bool scalar, or the branches give different trees.
 */
export function conditional<T>(predicate: tf.Tensor, ifTrue: () => T, ifFalse: () => T): T {
  if (predicate.size !== 1 || predicate.dtype !== 'bool') {
    throw new InputError(
      `A condition is one bool, but got ${predicate.dtype} of shape ${formatShape(predicate.shape)}.`,
    );
  }
  if (tf.engine().backendName !== TRACE_BACKEND) {
    return stopGradientTree(predicate.dataSync()[0] ? ifTrue() : ifFalse());
  }
  const [first, second] = [ifTrue(), ifFalse()];
  const [whenTrue, whenFalse] = [first, second].map((tree) => treeLeaves<tf.Tensor>(tree));
  checkBranches(whenTrue!, whenFalse!);
  const tensors = traceConditional(
    tf.reshape(predicate, []),
    whenTrue!.map(({ leaf }) => leaf),
    whenFalse!.map(({ leaf }) => leaf),
  );
  let next = 0;
  return treeMap<tf.Tensor, tf.Tensor>(first, () => tensors[next++]!) as T;
}

interface Leaf {
  readonly path: string;
  readonly leaf: tf.Tensor;
}

function checkBranches(ifTrue: readonly Leaf[], ifFalse: readonly Leaf[]): void {
  const describe = ({ path, leaf }: Leaf) =>
    `'${path || '(result)'}' ${leaf.dtype} ${formatShape(leaf.shape)}`;
  for (let index = 0; index < Math.max(ifTrue.length, ifFalse.length); index++) {
    const [a, b] = [ifTrue[index], ifFalse[index]].map((leaf) => (leaf ? describe(leaf) : 'nothing'));
    if (a === b) continue;
    throw new InputError(
      `Both branches of a conditional must give the same tree, but one gives ${a} where the other gives ${b}.`,
    );
  }
}
