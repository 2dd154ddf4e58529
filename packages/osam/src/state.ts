import { InputError, type NDArray, sizeOf, type tf, zeros } from '@palimpsest/tensor-core';
import { blockConfig, type OsamConfig } from './config.js';
import type { BlockPlan, CompactSketch } from './tables.js';

type Leaf = NDArray | tf.Tensor;

/** Memory of one block: everything it keeps of the tokens read so far. Its size does not depend on their number. */
export interface BlockState<T extends Leaf = tf.Tensor> {
  /** Compact sum of the sketched keys, [batch, 2 u]: real parts, then imaginary parts. */
  readonly keySum?: T | undefined;
  /** Value memory, [batch, heads, 2 w, d / heads]; w buckets (or channels) per head, real rows before imaginary rows. */
  readonly valueMemory?: T | undefined;
  /** Unitary spectrum of the key sum, [batch, m, 2] (freqCache). */
  readonly spectrum?: T | undefined;
  /** Input of the projections at the last token, [batch, d] (keyMix). */
  readonly previous?: T | undefined;
  /** Last inputs of the convolution, [batch, width - 1, d]. */
  readonly recent?: T | undefined;
  /** Last feature and value read-outs, [batch, d] each (skipMode 'hold'). */
  readonly heldFeature?: T | undefined;
  readonly heldValue?: T | undefined;
}

/** Memory of the model. */
export interface OsamState<T extends Leaf = tf.Tensor> {
  /** int32 [batch]: number of tokens read, which is the position of the next one. */
  readonly position: T;
  readonly blocks: readonly BlockState<T>[];
}

/** Whether a block keeps its value memory. */
export function keepsValues(config: OsamConfig): boolean {
  return config.enableValuePath || config.keepValueState;
}

/** Width w of one head's rows of the value memory: used buckets of the sketch, or plain channels. */
export function valueWidth(config: OsamConfig, plan: BlockPlan): number {
  return config.valueKernel === 'exact' ? config.dModel / config.heads : plan.key.used.length;
}

type StateShapes = { readonly [Name in keyof BlockState]: readonly number[] | undefined };

/** Shapes of one block's memory for a batch. */
export function blockStateShapes(config: OsamConfig, plan: BlockPlan, batch: number): StateShapes {
  const { dModel: d, heads, convWidth } = config;
  const holds = config.skipMode === 'hold' && config.kUpdate > 1;
  return {
    keySum: config.featurePath ? [batch, 2 * plan.key.used.length] : undefined,
    valueMemory: keepsValues(config) ? [batch, heads, 2 * valueWidth(config, plan), d / heads] : undefined,
    spectrum: config.freqCache && config.featurePath ? [batch, config.sketchDim, 2] : undefined,
    previous: config.keyMix ? [batch, d] : undefined,
    recent: convWidth > 1 ? [batch, convWidth - 1, d] : undefined,
    heldFeature: holds && config.featurePath ? [batch, d] : undefined,
    heldValue: holds && config.enableValuePath ? [batch, d] : undefined,
  };
}

/** The memory before the first token, on the host. */
export function emptyState(
  config: OsamConfig,
  plans: readonly BlockPlan[],
  batch: number,
): OsamState<NDArray> {
  const blocks = plans.map((plan, index) => {
    const shapes = blockStateShapes(blockConfig(config, index), plan, batch);
    return Object.fromEntries(Object.entries(shapes).map(([name, shape]) => [name, shape && zeros(shape)]));
  });
  return { position: zeros([batch], 'int32'), blocks };
}

/** Bytes of the memory for a batch, from the configuration alone; 4 per float and per position. */
export function stateBytesOf(config: OsamConfig, plans: readonly BlockPlan[], batch = 1): number {
  const floats = plans.flatMap((plan, index) =>
    Object.values(blockStateShapes(blockConfig(config, index), plan, batch)).map((shape) =>
      shape ? sizeOf(shape) : 0,
    ),
  );
  return 4 * (batch + floats.reduce((sum, size) => sum + size, 0));
}

/** The reference's dense memory of one block: K [batch, 2, m] and H [batch, 2, d, m] (d in place of m if exact). */
export interface DenseState {
  readonly K?: NDArray<'float32'> | undefined;
  readonly H?: NDArray<'float32'> | undefined;
  /** Spectrum of K, real and imaginary parts [batch, m]. */
  readonly FKRe?: NDArray<'float32'>;
  readonly FKIm?: NDArray<'float32'>;
}

const identitySketch = (dim: number): Pick<CompactSketch, 'used' | 'sketchDim'> => ({
  used: Int32Array.from({ length: dim }, (_, index) => index),
  sketchDim: dim,
});

function valueSketch(config: OsamConfig, plan: BlockPlan): Pick<CompactSketch, 'used' | 'sketchDim'> {
  return config.valueKernel === 'exact' ? identitySketch(config.dModel) : plan.key;
}

/** Scatters a block's compact memory into the reference's layout; unused buckets are zero. */
export function expandState(state: BlockState<NDArray>, config: OsamConfig, plan: BlockPlan): DenseState {
  const keySum = state.keySum && expandKeys(state.keySum, plan.key);
  const values = state.valueMemory && expandValues(state.valueMemory, config, valueSketch(config, plan));
  return { K: keySum, H: values, ...splitSpectrum(state.spectrum) };
}

function expandKeys(keySum: NDArray, { used, sketchDim }: CompactSketch): NDArray<'float32'> {
  const batch = keySum.shape[0]!;
  const dense = zeros([batch, 2, sketchDim]);
  for (let row = 0; row < 2 * batch; row++) {
    used.forEach((bucket, at) => {
      dense.data[row * sketchDim + bucket] = keySum.data[row * used.length + at]!;
    });
  }
  return dense;
}

/** Visits every entry of the value memory with its place in the compact and in the dense layout. */
function eachValueEntry(
  config: OsamConfig,
  { used, sketchDim }: Pick<CompactSketch, 'used' | 'sketchDim'>,
  batch: number,
  visit: (compact: number, dense: number) => void,
): void {
  const { dModel, heads } = config;
  const depth = dModel / heads;
  const width = used.length / heads;
  for (let row = 0; row < batch; row++) {
    for (let head = 0; head < heads; head++) {
      for (let part = 0; part < 2; part++) {
        for (let at = 0; at < width; at++) {
          for (let channel = 0; channel < depth; channel++) {
            const compact = (((row * heads + head) * 2 + part) * width + at) * depth + channel;
            const bucket = used[head * width + at]!;
            visit(compact, ((row * 2 + part) * dModel + head * depth + channel) * sketchDim + bucket);
          }
        }
      }
    }
  }
}

function expandValues(
  memory: NDArray,
  config: OsamConfig,
  sketch: Pick<CompactSketch, 'used' | 'sketchDim'>,
): NDArray<'float32'> {
  const batch = memory.shape[0]!;
  const dense = zeros([batch, 2, config.dModel, sketch.sketchDim]);
  eachValueEntry(config, sketch, batch, (compact, at) => {
    dense.data[at] = memory.data[compact]!;
  });
  return dense;
}

function splitSpectrum(spectrum: NDArray | undefined): Pick<DenseState, 'FKRe' | 'FKIm'> {
  if (!spectrum) return {};
  const shape = spectrum.shape.slice(0, 2);
  const parts = [zeros(shape), zeros(shape)] as const;
  spectrum.data.forEach((value, index) => {
    parts[(index % 2) as 0 | 1].data[index >> 1] = value;
  });
  return { FKRe: parts[0], FKIm: parts[1] };
}

/**
 * The inverse of `expandState`.
 * @throws InputError when a bucket that no channel reaches is not zero, or when shapes do not fit.
 */
export function compactState(dense: DenseState, config: OsamConfig, plan: BlockPlan): BlockState<NDArray> {
  const { K, H } = dense;
  return {
    keySum: K && config.featurePath ? compactKeys(K, plan.key) : undefined,
    valueMemory: H && keepsValues(config) ? compactValues(H, config, plan) : undefined,
    spectrum: dense.FKRe && dense.FKIm && config.freqCache ? joinSpectrum(dense.FKRe, dense.FKIm) : undefined,
  };
}

function compactKeys(K: NDArray, sketch: CompactSketch): NDArray<'float32'> {
  const { used, place, sketchDim } = sketch;
  const batch = K.shape[0]!;
  requireShape('K', K, [batch, 2, sketchDim]);
  const compact = zeros([batch, 2 * used.length]);
  K.data.forEach((value, index) => {
    const at = place[index % sketchDim]!;
    if (at < used.length) compact.data[Math.floor(index / sketchDim) * used.length + at] = value;
    else if (value !== 0) throw unreachable('K', index % sketchDim, value);
  });
  return compact;
}

function compactValues(H: NDArray, config: OsamConfig, plan: BlockPlan): NDArray<'float32'> {
  const sketch = valueSketch(config, plan);
  const batch = H.shape[0]!;
  requireShape('H', H, [batch, 2, config.dModel, sketch.sketchDim]);
  const compact = zeros([batch, config.heads, 2 * valueWidth(config, plan), config.dModel / config.heads]);
  const left = H.data.slice();
  eachValueEntry(config, sketch, batch, (index, at) => {
    compact.data[index] = H.data[at]!;
    left[at] = 0;
  });
  const stray = left.findIndex((value) => value !== 0);
  if (stray >= 0) throw unreachable('H', stray % sketch.sketchDim, left[stray]!);
  return compact;
}

function joinSpectrum(re: NDArray, im: NDArray): NDArray<'float32'> {
  const joined = zeros([...re.shape, 2]);
  re.data.forEach((value, index) => {
    joined.data[2 * index] = value;
    joined.data[2 * index + 1] = im.data[index]!;
  });
  return joined;
}

function requireShape(name: string, array: NDArray, shape: readonly number[]): void {
  if (array.shape.join() === shape.join()) return;
  throw new InputError(
    `${name} has shape [${array.shape.join(', ')}], but this block needs [${shape.join(', ')}].`,
  );
}

function unreachable(name: string, bucket: number, value: number): InputError {
  return new InputError(
    `${name} holds ${value} in bucket ${bucket}, which no channel of the hash table reaches; it belongs to another table.`,
  );
}
