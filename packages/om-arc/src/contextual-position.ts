import {
  defineOp,
  emit,
  formatShape,
  type GraphBuilder,
  InputError,
  type TensorSpec,
  tf,
  type Value,
} from '@palimpsest/tensor-core';

const { binary, cast, unary } = emit;

/** Places below and above a position, as indices of the last axis. */
function neighbours(graph: GraphBuilder, position: Value): { low: Value; high: Value; share: Value } {
  const floor = unary(graph, 'Floor', position);
  return {
    low: cast(graph, floor, graph.indexType),
    high: cast(graph, unary(graph, 'Ceil', position), graph.indexType),
    share: binary(graph, 'Sub', position, floor),
  };
}

const gathered = (graph: GraphBuilder, table: Value, index: Value): Value =>
  graph.node('GatherElements', [table, index], { shape: index.shape, dtype: 'float32' }, { axis: -1 });

const scattered = (graph: GraphBuilder, shape: TensorSpec, index: Value, updates: Value): Value => {
  const zero = graph.fill(0, shape.shape, 'float32');
  return graph.node('ScatterElements', [zero, index, updates], shape, { axis: -1, reduction: 'add' });
};

/** What the table receives: every score adds its gradient to the two places that it was read from. */
const tableGradient = defineOp<{ width: number }>({
  name: 'InterpolateRowsGradient',
  infer: ([, position], { width }) => [{ shape: [...position!.shape.slice(0, -1), width], dtype: 'float32' }],
  compute: ([dy, position], { width }) => {
    const keys = position!.shape.at(-1)!;
    const result = new Float32Array((position!.data.length / keys) * width);
    for (let i = 0; i < position!.data.length; i++) {
      const row = Math.floor(i / keys) * width;
      const at = position!.data[i]!;
      const share = at - Math.floor(at);
      result[row + Math.floor(at)]! += (1 - share) * dy!.data[i]!;
      result[row + Math.ceil(at)]! += share * dy!.data[i]!;
    }
    return [result];
  },
  // ONNX Runtime's ScatterElements adds one element after another, so that no update is lost, unlike its ScatterND.
  trace: (graph, [dy, position], { width }) => {
    const spec: TensorSpec = { shape: [...position!.shape.slice(0, -1), width], dtype: 'float32' };
    const { low, high, share } = neighbours(graph, position!);
    const above = binary(graph, 'Mul', dy!, share);
    const below = binary(graph, 'Sub', dy!, above);
    const first = scattered(graph, spec, low, below);
    return [graph.node('ScatterElements', [first, high, above], spec, { axis: -1, reduction: 'add' })];
  },
});

const interpolate = defineOp<Record<string, never>>({
  name: 'InterpolateRows',
  infer: ([table, position]) => {
    if (table!.shape.slice(0, -1).join() === position!.shape.slice(0, -1).join())
      return [position!, position!];
    throw new InputError(
      `Positions [..., keys] look into tables [..., length] of the same rows, but got ${formatShape(position!.shape)} and ${formatShape(table!.shape)}.`,
    );
  },
  compute: ([table, position]) => {
    const keys = position!.shape.at(-1)!;
    const width = table!.shape.at(-1)!;
    const [value, slope] = [new Float32Array(position!.data.length), new Float32Array(position!.data.length)];
    for (let i = 0; i < value.length; i++) {
      const row = Math.floor(i / keys) * width;
      const at = position!.data[i]!;
      const low = table!.data[row + Math.floor(at)]!;
      slope[i] = table!.data[row + Math.ceil(at)]! - low;
      value[i] = low + (at - Math.floor(at)) * slope[i]!;
    }
    return [value, slope];
  },
  trace: (graph, [table, position]) => {
    const { low, high, share } = neighbours(graph, position!);
    const below = gathered(graph, table!, low);
    const slope = binary(graph, 'Sub', gathered(graph, table!, high), below);
    return [binary(graph, 'Add', below, binary(graph, 'Mul', share, slope)), slope];
  },
  gradient: ({ outputGradients: [dy], inputs: [table, position], outputs: [, slope] }) => [
    tableGradient([dy!, position!], { width: table!.shape.at(-1)! })[0],
    tf.mul(dy!, slope!),
  ],
});

/**
 * Values of tables between their places: (1 − w) table[⌊p⌋] + w table[⌈p⌉] with w = p − ⌊p⌋.
 * @param table `[..., length]`
 * @param position `[..., keys]`, in [0, length − 1]; no gradient flows through ⌊p⌋ and ⌈p⌉
 * @returns `[..., keys]`
 * @throws InputError when the leading axes differ.
 */
export function interpolateRows(table: tf.Tensor, position: tf.Tensor): tf.Tensor {
  return interpolate([table, position], {})[0]!;
}

/**
 * Contextual position bias (Golovneva et al. 2024): a key stands as far from a query as gates σ(q·k) add up between them,
 * and the bias is the query's product with a learned vector of that distance.
 * @param query `[G, batch, rows, κ]`, neither scaled nor rotated
 * @param keys `[G, batch, keys, κ]`
 * @param table `[G or 1, κ, length]`
 * @param counted 0 and 1 as a float, broadcasts to `[G, batch, rows, keys]`: keys whose gate counts. Default all, which lets
 *   a query see what follows it
 * @param highest positions beyond are cut off
 * @returns `[G, batch, rows, keys]`
 */
export function contextualBias(
  query: tf.Tensor,
  keys: tf.Tensor,
  table: tf.Tensor,
  counted: tf.Tensor | undefined,
  highest: number,
): tf.Tensor {
  const [G, batch, rows, width] = query.shape as [number, number, number, number];
  const gates = tf.sigmoid(tf.matMul(query, keys, false, true));
  const kept = counted ? tf.mul(gates, counted) : gates;
  const position = tf.minimum(tf.cumsum(kept, 3, false, true), highest);
  const flat = tf.reshape(query, [G, batch * rows, width]);
  const looked = tf.matMul(flat, table);
  return interpolateRows(tf.reshape(looked, [G, batch, rows, table.shape.at(-1)!]), position);
}
