import { formatShape, InputError } from '@palimpsest/base';
import { defineOp, type TensorSpec } from '../op.js';
import { tf } from '../tf.js';
import { binary, unary } from '../trace/emit.js';
import type { GraphBuilder, Value } from '../trace/graph.js';
import { reduce } from '../trace/reduce.js';

interface Epsilon {
  readonly epsilon: number;
}

const statistic = (x: TensorSpec): TensorSpec => ({ shape: [...x.shape.slice(0, -1), 1], dtype: 'float32' });
const leadingAxes = (x: tf.Tensor) => Array.from({ length: x.rank - 1 }, (_, axis) => axis);

/** @throws InputError for a vector that is not as wide as the last axis of `x`. */
function checkWidth(name: string, role: string, x: TensorSpec, vector: TensorSpec): void {
  if (vector.shape.length === 1 && vector.shape[0] === x.shape.at(-1)) return;
  throw new InputError(
    `${name} of ${formatShape(x.shape)} needs a ${role} as wide as the last axis, but got ${formatShape(vector.shape)}.`,
  );
}

/** @throws InputError unless gain and bias are both `[width]`, or both `[groups, 1, width]` for an `x` of `[groups, rows, width]`. */
function checkGroups(x: TensorSpec, gain: TensorSpec, bias: TensorSpec): void {
  const [groups, , width] = x.shape;
  const isPerGroup = ({ shape }: TensorSpec) => shape.join() === `${groups},1,${width}`;
  if (x.shape.length === 3 && isPerGroup(gain) && isPerGroup(bias)) return;
  checkWidth('Layer normalisation', 'gain', x, gain);
  checkWidth('Layer normalisation', 'bias', x, bias);
}

/** Wider rows are normalised by several nodes: the runtime's one adds their squares into one float32. */
const WIDEST_FUSED_ROW = 4096;

const isWide = (x: Value) => x.shape.at(-1)! > WIDEST_FUSED_ROW;

/** Normalised rows, their means and the inverse roots of their variances. */
function normaliseRows(
  graph: GraphBuilder,
  inputs: readonly Value[],
  epsilon: number,
): [Value, Value, Value] {
  const [x, gain, bias] = inputs as [Value, Value, Value];
  const last = x.shape.length - 1;
  const mean = reduce(graph, 'ReduceMean', x, [last], true);
  const centred = binary(graph, 'Sub', x, mean);
  const variance = reduce(graph, 'ReduceMean', binary(graph, 'Mul', centred, centred), [last], true);
  const root = unary(graph, 'Sqrt', binary(graph, 'Add', variance, graph.scalar(epsilon)));
  const inverse = unary(graph, 'Reciprocal', root);
  const scaled = binary(graph, 'Mul', binary(graph, 'Mul', centred, inverse), gain);
  return [binary(graph, 'Add', scaled, bias), mean, inverse];
}

/** The sum over all rows that one gain, `[width]` or `[groups, 1, width]`, belongs to. */
const overRows = (x: tf.Tensor, gain: tf.Tensor) =>
  gain.rank === 1 ? tf.sum(x, leadingAxes(x)) : tf.sum(x, 1, true);

const layerNormOp = defineOp<Epsilon>({
  name: 'LayerNorm',
  infer: ([x, gain, bias]) => {
    checkGroups(x!, gain!, bias!);
    return [x!, statistic(x!), statistic(x!)];
  },
  compose: ([x, gain, bias], { epsilon }) => {
    const mean = tf.mean(x!, -1, true);
    const centred = tf.sub(x!, mean);
    const inverse = tf.rsqrt(tf.add(tf.mean(tf.square(centred), -1, true), epsilon));
    return [tf.add(tf.mul(tf.mul(centred, inverse), gain!), bias!), mean, inverse];
  },
  trace: (graph, [x, gain, bias], { epsilon }) => {
    if (isWide(x!)) return normaliseRows(graph, [x!, gain!, bias!], epsilon);
    const row = statistic(x as TensorSpec);
    const attributes = { axis: -1, epsilon: { float: epsilon } };
    if (gain!.shape.length > 1 && graph.bits === 32) {
      // WebGPU takes one gain for all rows.
      const [unit, none] = [1, 0].map((value) => graph.fill(value, [x!.shape.at(-1)!], 'float32'));
      const plain = graph.nodes('LayerNormalization', [x!, unit!, none!], [x!, row, row], attributes);
      const scaled = binary(graph, 'Mul', plain[0]!, gain!);
      return [binary(graph, 'Add', scaled, bias!), ...plain.slice(1)];
    }
    return [...graph.nodes('LayerNormalization', [x!, gain!, bias!], [x!, row, row], attributes)];
  },
  gradient: ({ outputGradients: [dy], inputs: [x, gain], outputs: [, mean, inverse] }) => {
    const normal = tf.mul(tf.sub(x!, mean!), inverse!);
    const scaled = tf.mul(dy!, gain!);
    const projected = tf.mul(normal, tf.mean(tf.mul(scaled, normal), -1, true));
    const dx = tf.mul(inverse!, tf.sub(tf.sub(scaled, tf.mean(scaled, -1, true)), projected));
    return [dx, overRows(tf.mul(dy!, normal), gain!), overRows(dy!, gain!)];
  },
});

/**
 * Layer normalisation of the last axis (Ba, Kiros & Hinton 2016), with the biased variance:
 * gain · (x − mean) / √(var + epsilon) + bias.
 * @param x `[..., width]`
 * @param gain `[width]`, or `[groups, width]` for an `x` of `[groups, ..., width]`
 * @param bias as `gain`
 * @param epsilon default 1e-5
 * @throws InputError when gain or bias do not fit `x`.
 */
export function layerNorm(x: tf.Tensor, gain: tf.Tensor, bias: tf.Tensor, epsilon = 1e-5): tf.Tensor {
  if (gain.rank !== 2 || x.rank < 2) return layerNormOp([x, gain, bias], { epsilon })[0]!;
  const [groups, width] = [x.shape[0]!, x.shape.at(-1)!];
  const perGroup = (vector: tf.Tensor) => tf.expandDims(vector, 1);
  const rows = x.rank === 3 ? x : tf.reshape(x, [groups, x.size / (groups * width), width]);
  const normal = layerNormOp([rows, perGroup(gain), perGroup(bias)], { epsilon })[0]!;
  return x.rank === 3 ? normal : tf.reshape(normal, x.shape);
}

const addLayerNormOp = defineOp<Epsilon>({
  name: 'AddLayerNorm',
  infer: ([x, , gain, bias, shift]) => {
    checkWidth('Layer normalisation', 'gain', x!, gain!);
    checkWidth('Layer normalisation', 'bias', x!, bias!);
    if (shift) checkWidth('Layer normalisation', 'shift', x!, shift);
    return [x!, x!];
  },
  compose: ([x, branch, gain, bias, shift], { epsilon }) => {
    const added = tf.add(x!, branch!);
    const sum = shift ? tf.add(added, shift) : added;
    return [layerNorm(sum, gain!, bias!, epsilon), sum];
  },
  trace: (graph, [x, branch, gain, bias, shift], { epsilon }) => {
    if (isWide(x!)) {
      const added = binary(graph, 'Add', x!, branch!);
      const sum = shift ? binary(graph, 'Add', added, shift) : added;
      return [normaliseRows(graph, [sum, gain!, bias!], epsilon)[0], sum];
    }
    const row = statistic(x as TensorSpec);
    const [normal, , , sum] = graph.nodes(
      'SkipLayerNormalization',
      [x!, branch!, gain!, bias!, ...(shift ? [shift] : [])],
      [x!, row, row, x!],
      { epsilon: { float: epsilon } },
      'com.microsoft',
    );
    return [normal!, sum!];
  },
  gradient: ({
    outputGradients: [dNormal, dSum],
    inputs: [, , gain, , shift],
    outputs: [, sum],
    attributes,
  }) => {
    const { epsilon } = attributes;
    const centred = tf.sub(sum!, tf.mean(sum!, -1, true));
    const inverse = tf.rsqrt(tf.add(tf.mean(tf.square(centred), -1, true), epsilon));
    const normal = tf.mul(centred, inverse);
    const scaled = tf.mul(dNormal!, gain!);
    const projected = tf.mul(normal, tf.mean(tf.mul(scaled, normal), -1, true));
    const dNorm = tf.mul(inverse, tf.sub(tf.sub(scaled, tf.mean(scaled, -1, true)), projected));
    const dx = tf.add(dNorm, dSum!);
    const axes = leadingAxes(sum!);
    const gradients = [dx, dx, tf.sum(tf.mul(dNormal!, normal), axes), tf.sum(dNormal!, axes)];
    return shift ? [...gradients, tf.sum(dx, axes)] : gradients;
  },
});

/**
 * What follows a residual branch: sum = x + branch + shift, and its layer normalisation, in one node of a traced graph.
 * @param x `[rows, width]` or `[batch, time, width]`
 * @param branch as `x`
 * @param gain `[width]`
 * @param bias `[width]`
 * @param options shift `[width]`, the bias of the branch's last map; epsilon default 1e-5
 * @throws InputError when the shapes do not fit.
 */
export function addLayerNorm(
  x: tf.Tensor,
  branch: tf.Tensor,
  gain: tf.Tensor,
  bias: tf.Tensor,
  { shift, epsilon = 1e-5 }: { readonly shift?: tf.Tensor; readonly epsilon?: number } = {},
): { normal: tf.Tensor; sum: tf.Tensor } {
  if (x.shape.join() !== branch.shape.join() || x.rank < 2 || x.rank > 3) {
    throw new InputError(
      `A residual normalisation needs two tensors of one shape, [rows, width] or [batch, time, width], but got ${formatShape(x.shape)} and ${formatShape(branch.shape)}.`,
    );
  }
  const inputs = [x, branch, gain, bias, ...(shift ? [shift] : [])];
  const [normal, sum] = addLayerNormOp(inputs, { epsilon });
  return { normal: normal!, sum: sum! };
}

const rmsNormOp = defineOp<Epsilon>({
  name: 'RmsNorm',
  infer: ([x]) => [x!, statistic(x!)],
  compose: ([x], { epsilon }) => {
    const inverse = inverseRoot(x!, epsilon);
    return [tf.mul(x!, inverse), inverse];
  },
  trace: (graph, [x], { epsilon }) => {
    const row = statistic(x as TensorSpec);
    const square = graph.node('Mul', [x!, x!], x!);
    const mean = reduce(graph, 'ReduceMean', square, [x!.shape.length - 1], true);
    const root = graph.node('Sqrt', [graph.node('Add', [mean, graph.scalar(epsilon)], row)], row);
    const inverse = graph.node('Reciprocal', [root], row);
    return [graph.node('Mul', [x!, inverse], x!), inverse];
  },
  gradient: ({ outputGradients: [dy], outputs: [normal, inverse] }) => {
    const projected = tf.mul(normal!, tf.mean(tf.mul(dy!, normal!), -1, true));
    return [tf.mul(inverse!, tf.sub(dy!, projected))];
  },
});

/** Rows up to which normalisation is one op: for single steps the number of nodes counts, for many the memory traffic. */
const FEW_ROWS = 16;

/** The same with its gain, in the nodes that ONNX Runtime fuses into one when the gain is frozen. */
const scaledRmsNormOp = defineOp<Epsilon>({
  name: 'ScaledRmsNorm',
  infer: ([x]) => [x!],
  compose: ([x, gain], { epsilon }) => [tf.mul(tf.mul(x!, inverseRoot(x!, epsilon)), gain!)],
  trace: (graph, [x, gain], { epsilon }) => {
    const row = statistic(x as TensorSpec);
    const square = graph.node('Pow', [x!, graph.scalar(2)], x!);
    const mean = graph.node('ReduceMean', [square, graph.int64([-1])], row, { keepdims: 1 });
    const root = graph.node('Sqrt', [graph.node('Add', [mean, graph.scalar(epsilon)], row)], row);
    return [graph.node('Mul', [graph.node('Div', [x!, root], x!), gain!], x!)];
  },
  gradient: ({ outputGradients: [dy], inputs: [x, gain], attributes: { epsilon } }) => {
    const inverse = inverseRoot(x!, epsilon);
    const normal = tf.mul(x!, inverse);
    const scaled = tf.mul(dy!, gain!);
    const projected = tf.mul(normal, tf.mean(tf.mul(scaled, normal), -1, true));
    return [tf.mul(inverse, tf.sub(scaled, projected)), tf.sum(tf.mul(dy!, normal), leadingAxes(x!))];
  },
});

/** The sum of a residual connection and its norm, one node of the runtime. It has no gradient. */
const addRmsNormOp = defineOp<Epsilon>({
  name: 'AddRmsNorm',
  infer: ([x]) => [x!, x!],
  compose: ([x, branch, gain], { epsilon }) => {
    const sum = tf.add(x!, branch!);
    return [tf.mul(tf.mul(sum, inverseRoot(sum, epsilon)), gain!), sum];
  },
  trace: (graph, [x, branch, gain], { epsilon }) => {
    const row = statistic(x as TensorSpec);
    const [normal, , , sum] = graph.nodes(
      'SkipSimplifiedLayerNormalization',
      [x!, branch!, gain!],
      [x!, row, row, x!],
      { epsilon: { float: epsilon } },
      'com.microsoft',
    );
    return [normal!, sum!];
  },
});

/**
 * A residual connection followed by root-mean-square normalisation, for decoding: it has no gradient.
 * @param x `[batch, time, width]`
 * @param branch as `x`
 * @param gain `[width]`
 * @returns the sum of both, and what `rmsNorm` gives of it
 * @throws InputError when the shapes do not fit.
 */
export function addRmsNorm(
  x: tf.Tensor,
  branch: tf.Tensor,
  gain: tf.Tensor,
  epsilon = 1e-6,
): { normal: tf.Tensor; sum: tf.Tensor } {
  checkWidth('RMS normalisation', 'gain', x as TensorSpec, gain as TensorSpec);
  if (x.shape.join() !== branch.shape.join()) {
    throw new InputError(
      `A residual normalisation needs two tensors of one shape, but got ${formatShape(x.shape)} and ${formatShape(branch.shape)}.`,
    );
  }
  const [normal, sum] = addRmsNormOp([x, branch, gain], { epsilon });
  return { normal: normal!, sum: sum! };
}

const inverseRoot = (x: tf.Tensor, epsilon: number) =>
  tf.rsqrt(tf.add(tf.mean(tf.square(x), -1, true), epsilon));

/**
 * Root-mean-square normalisation of the last axis (Zhang & Sennrich 2019): gain · x / √(mean x² + epsilon).
 * @param x `[..., width]`
 * @param gain `[width]`; without it the normalised values are not scaled.
 * @param epsilon default 1e-6
 * @throws InputError when the gain is not as wide as `x`.
 */
export function rmsNorm(x: tf.Tensor, gain?: tf.Tensor, epsilon = 1e-6): tf.Tensor {
  if (gain) checkWidth('RMS normalisation', 'gain', x as TensorSpec, gain as TensorSpec);
  if (gain && x.size <= FEW_ROWS * gain.size) return scaledRmsNormOp([x, gain], { epsilon })[0]!;
  const normal = rmsNormOp([x], { epsilon })[0]!;
  return gain ? tf.mul(normal, gain) : normal;
}
