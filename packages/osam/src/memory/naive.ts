import { stopGradient, tf } from '@palimpsest/tensor-core';
import type { OsamConfig } from '../config.js';
import { type BlockState, keepsValues } from '../state.js';
import type { BlockPlan } from '../tables.js';
import { complexDft, complexMultiply, realPart } from './feature/complex-dft.js';
import { scaleFeatures } from './feature/feature-scale.js';
import { type MemoryInput, type MemoryReader, valueDecays } from './memory.js';
import type { ReadSchedule } from './read-schedule.js';

/** The reference's memory: K [batch, m, 2], its spectrum, H [batch, 2, d, m] (d in place of m for the exact kernel). */
export interface DenseMemory {
  readonly K?: tf.Tensor | undefined;
  readonly H?: tf.Tensor | undefined;
  readonly spectrum?: tf.Tensor | undefined;
}

interface TokenRows {
  /** [batch, 2, d]. */
  readonly query: tf.Tensor;
  readonly key: tf.Tensor;
  /** [batch, d]. */
  readonly value: tf.Tensor;
}

export interface TokenRead {
  /** Re(Q * K), [batch, m], with the gradient of the query alone if detached. */
  readonly psi?: tf.Tensor | undefined;
  /** Re(H Q), [batch, d]. */
  readonly raw?: tf.Tensor | undefined;
  readonly memory: DenseMemory;
}

/** The full sketch matrix [d, m]. */
function denseSketch(plan: BlockPlan, side: 'query' | 'key'): tf.Tensor2D {
  const { dim, sketchDim, index, sign } = plan.tables[side];
  const matrix = new Float32Array(dim * sketchDim);
  for (let channel = 0; channel < dim; channel++)
    matrix[channel * sketchDim + index[channel]!] = sign[channel]!;
  return tf.tensor2d(matrix, [dim, sketchDim]);
}

/** Sketch of complex rows: [batch, 2, d] to [batch, 2, m]. */
function sketchRows(x: tf.Tensor, plan: BlockPlan, side: 'query' | 'key'): tf.Tensor {
  const [batch, , dim] = x.shape as [number, number, number];
  const rows = tf.matMul(tf.reshape(x, [2 * batch, dim]) as tf.Tensor2D, denseSketch(plan, side));
  return tf.reshape(rows, [batch, 2, -1]);
}

const toSignal = (x: tf.Tensor) => tf.transpose(x, [0, 2, 1]);

/**
 * One token as the published program does it (DERIVATION.md, "The block"): dense sketches, three transforms of length m,
 * a dense value memory. The oracle of the fast forms and the baseline of the benchmarks.
 */
export function readToken(
  token: TokenRows,
  memory: DenseMemory,
  config: OsamConfig,
  plan: BlockPlan,
): TokenRead {
  const detached = config.gradientFlow === 'detached';
  const cut = (x: tf.Tensor) => (detached ? stopGradient(x) : x);
  const feature = config.featurePath ? readFeature(token, memory, config, plan, cut) : undefined;
  const values = keepsValues(config) ? readValue(token, memory, config, plan, cut) : undefined;
  return {
    psi: feature?.psi,
    raw: values && config.enableValuePath ? values.raw : undefined,
    memory: { ...feature?.memory, ...(values && { H: values.H }) },
  };
}

type Cut = (x: tf.Tensor) => tf.Tensor;

function readFeature(token: TokenRows, memory: DenseMemory, config: OsamConfig, plan: BlockPlan, cut: Cut) {
  const root = Math.sqrt(config.sketchDim);
  const unitary = (x: tf.Tensor) => tf.mul(complexDft(x), 1 / root);
  const query = toSignal(sketchRows(token.query, plan, 'query'));
  const added = cut(toSignal(sketchRows(token.key, plan, 'key')));
  const spectrum = memory.spectrum ?? unitary(cut(memory.K!));
  // The caller divides by sqrt(m); the unitary inverse carries that factor already.
  const psi = tf.mul(realPart(complexDft(complexMultiply(unitary(query), cut(spectrum)), true)), root * root);
  const kept = (x: tf.Tensor) => (config.decay === 1 ? x : tf.mul(x, config.decay));
  return {
    psi,
    memory: {
      K: cut(tf.add(kept(memory.K!), added)),
      spectrum: memory.spectrum && cut(tf.add(kept(memory.spectrum), unitary(added))),
    },
  };
}

function readValue(token: TokenRows, memory: DenseMemory, config: OsamConfig, plan: BlockPlan, cut: Cut) {
  const exact = config.valueKernel === 'exact';
  const rows = (x: tf.Tensor) => cut(exact ? x : sketchRows(x, plan, 'key'));
  const query = rows(token.query);
  const key = rows(token.key);
  const H = cut(memory.H!);
  const products = tf.sum(tf.mul(H, tf.expandDims(query, 2)), 3);
  const [re, im] = tf.split(products, 2, 1) as [tf.Tensor, tf.Tensor];
  const value = tf.reshape(cut(token.value), [-1, 1, config.dModel, 1]);
  const written = tf.mul(tf.mul(value, tf.expandDims(key, 2)), headBlocks(config));
  return {
    raw: tf.reshape(tf.sub(re, im), [-1, config.dModel]),
    H: cut(tf.add(tf.mul(H, channelDecays(config)), written)),
  };
}

/** 1 where a value channel and a key channel belong to the same head. */
function headBlocks({ heads, dModel }: OsamConfig): tf.Tensor {
  if (heads === 1) return tf.scalar(1);
  const depth = dModel / heads;
  const headOf = (channel: number) => Math.floor(channel / depth);
  const mask = Array.from({ length: dModel * dModel }, (_, index) =>
    headOf(Math.floor(index / dModel)) === headOf(index % dModel) ? 1 : 0,
  );
  return tf.tensor4d(mask, [1, 1, dModel, dModel]);
}

function channelDecays(config: OsamConfig): tf.Tensor {
  const depth = config.dModel / config.heads;
  const factors = valueDecays(config).flatMap((decay) => new Array<number>(depth).fill(decay));
  return tf.tensor4d(factors, [1, 1, config.dModel, 1]);
}

/** Token by token over a run, on dense memory; the compact state is expanded before and compacted after. */
export const readSequential: MemoryReader = (input, config, plan) => {
  const output = readDense(
    { ...input, state: asState(expandMemory(input.state, config, plan)) },
    config,
    plan,
  );
  return { ...output, state: compactMemory(asMemory(output.state), config, plan) };
};

/** The dense memory in the members of a block's state; only `readDense` may be given such a state. */
function asState({ K, H, spectrum }: DenseMemory): BlockState {
  return { keySum: K, valueMemory: H, spectrum };
}

function asMemory({ keySum, valueMemory, spectrum }: BlockState): DenseMemory {
  return {
    K: keySum,
    H: valueMemory,
    spectrum,
  };
}

/**
 * Token by token over a run, on a state that holds the dense memory: K [batch, m, 2] as `keySum` and H [batch, 2, d, m] as
 * `valueMemory`. The published program, for benchmarks.
 */
export const readDense: MemoryReader = (input, config, plan) => {
  const [batch, time] = input.value.shape as [number, number];
  let memory = asMemory(input.state);
  const reads: TokenRead[] = [];
  for (let t = 0; t < time; t++) {
    const at = (x: tf.Tensor) => tf.slice(x, [0, t, 0], [-1, 1, -1]);
    const complex = (x: tf.Tensor) => tf.reshape(at(x), [batch, 2, config.dModel]);
    const token = {
      query: complex(input.query),
      key: complex(input.key),
      value: tf.reshape(at(input.value), [batch, -1]),
    };
    const read = readToken(token, memory, config, plan);
    memory = read.memory;
    reads.push(read);
  }
  const state = asState(memory);
  if (!input.schedule) return { state };
  return { ...scheduledReads(reads, input, input.schedule, config), state };
};

function scheduledReads(
  reads: readonly TokenRead[],
  { positionScale, valueScale, featureWeight, wantPsi, wantNorm }: MemoryInput,
  schedule: ReadSchedule,
  config: OsamConfig,
) {
  const scale = schedule.select(positionScale);
  const [batch, count] = scale.shape as [number, number];
  const rows = (part: 'psi' | 'raw') =>
    schedule.select(
      tf.stack(
        reads.map((read) => read[part]!),
        1,
      ),
    );
  const rowsOf = (x: tf.Tensor) => tf.reshape(x, [batch, count, -1]);
  const psi = config.featurePath ? tf.reshape(rows('psi'), [batch * count, -1]) : undefined;
  const scaled =
    psi &&
    scaleFeatures(
      {
        projected: tf.matMul(psi as tf.Tensor2D, featureWeight as tf.Tensor2D, false, true),
        energy: tf.sum(tf.square(psi), 1),
        psi,
      },
      tf.reshape(scale, [-1, 1]),
      config,
    );
  return {
    feature: scaled && rowsOf(scaled.projected),
    psi: scaled && wantPsi ? rowsOf(scaled.psi!) : undefined,
    psiNorm: scaled && wantNorm ? tf.reshape(scaled.norm!, [batch, count]) : undefined,
    raw: config.enableValuePath ? tf.mul(rows('raw'), schedule.select(valueScale)) : undefined,
  };
}

/** The dense memory of a compact state. */
export function expandMemory(state: BlockState, config: OsamConfig, plan: BlockPlan): DenseMemory {
  const { sketchDim, used } = plan.key;
  const batch = (state.keySum ?? state.valueMemory)!.shape[0]!;
  const scatter = scatterMatrix(plan);
  const K =
    state.keySum && tf.matMul(tf.reshape(state.keySum, [2 * batch, used.length]) as tf.Tensor2D, scatter);
  return {
    K: K && toSignal(tf.reshape(K, [batch, 2, sketchDim])),
    H: state.valueMemory && expandValues(state.valueMemory, config, scatter),
    spectrum: state.spectrum,
  };
}

/** [u, m]: 1 where a compact row belongs to a bucket. */
function scatterMatrix({ key: { used, sketchDim } }: BlockPlan): tf.Tensor2D {
  const matrix = new Float32Array(used.length * sketchDim);
  used.forEach((bucket, row) => {
    matrix[row * sketchDim + bucket] = 1;
  });
  return tf.tensor2d(matrix, [used.length, sketchDim]);
}

function expandValues(memory: tf.Tensor, config: OsamConfig, scatter: tf.Tensor2D): tf.Tensor {
  const [batch, heads, rows, depth] = memory.shape as [number, number, number, number];
  const parts = tf.transpose(tf.reshape(memory, [batch, heads, 2, rows / 2, depth]), [0, 2, 1, 4, 3]);
  if (config.valueKernel === 'exact') {
    // Every head's square goes to its place on the diagonal.
    const wide = tf.tile(tf.reshape(parts, [batch, 2, config.dModel, rows / 2]), [1, 1, 1, heads]);
    return tf.mul(wide, headBlocks(config));
  }
  const dense = tf.matMul(tf.reshape(parts, [-1, rows / 2]) as tf.Tensor2D, scatter);
  return tf.reshape(dense, [batch, 2, config.dModel, -1]);
}

/** The compact state of a dense memory. */
export function compactMemory(
  memory: DenseMemory,
  config: OsamConfig,
  plan: BlockPlan,
): Pick<BlockState, 'keySum' | 'valueMemory' | 'spectrum'> {
  const { K, H, spectrum } = memory;
  const collect = tf.tensor1d(plan.key.used, 'int32');
  return {
    keySum: K && tf.reshape(tf.gather(toSignal(K), collect, 2), [K.shape[0]!, -1]),
    valueMemory: H && compactValues(H, config, collect),
    spectrum,
  };
}

function compactValues(H: tf.Tensor, config: OsamConfig, collect: tf.Tensor1D): tf.Tensor {
  const batch = H.shape[0]!;
  const { heads, dModel, valueKernel } = config;
  const depth = dModel / heads;
  if (valueKernel === 'sketched') {
    return tf.reshape(tf.transpose(tf.gather(H, collect, 3), [0, 1, 3, 2]), [batch, 1, -1, dModel]);
  }
  const squares = Array.from({ length: heads }, (_, head) =>
    tf.slice(H, [0, 0, head * depth, head * depth], [-1, -1, depth, depth]),
  );
  const rows = squares.map((square) =>
    tf.reshape(tf.transpose(square, [0, 1, 3, 2]), [batch, 2 * depth, depth]),
  );
  return tf.stack(rows, 1);
}
