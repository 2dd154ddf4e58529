import { type NDArray, ndarray, Rng, treeMap } from '@palimpsest/tensor-core';
import type { OmOptions } from '../../src/index.js';
import type { OmParams } from '../../src/parameters.js';

/** A model small enough to be checked in every way. */
export const small: OmOptions = {
  vocabSize: 11,
  numLayers: 2,
  dimInput: 8,
  dimHidden: 12,
  dimsKey: [4, 6],
  dimsValue: [6, 4],
  numHeads: 2,
  segmentLen: 5,
  stateLen: 2,
  attnProjRank: 3,
  initNgrams: [3, 2],
};

const readme: Partial<OmOptions> = { edition: 'readme', initNgrams: [], initConvs: [2, 3] };

/** Every option that changes what rows see or leave, at least once. */
export const variants: Readonly<Record<string, Partial<OmOptions>>> = {
  default: {},
  'three passes, no n-grams': { dimsKey: [4, 6, 4], dimsValue: [6, 4, 3], initNgrams: [], activation: 'abs' },
  'causal positions by context': { cope: true, activation: 'relu' },
  'causal positions without rotary': { cope: true, rope: [null, null] },
  'stacked differential': { diffAttn: true, activation: 'swish' },
  'unstacked differential with positions': { diffAttn: true, stackedAttn: false, cope: true },
  'unstacked differential without inner projection': { diffAttn: true, stackedAttn: false, attnProjRank: 4 },
  Hopfield: { numIters: [2, 3], cope: true },
  'Hopfield in the last pass': { numIters: [1, 2], rope: [{ dim: 4, pct: 1 }, null] },
  'readme edition': {
    ...readme,
    attnNormalize: true,
    finalMlpMultiplier: 2,
    cope: true,
    rope: [
      { dim: 4, pct: 1 },
      { dim: 6, pct: 1 },
    ],
  },
  'readme edition, Hopfield': { ...readme, numIters: [3, 2], cope: true, attnNormalize: 'qkv' },
  'readme edition, differential': { ...readme, diffAttn: true, cope: true, attnNormalize: 'qkv' },
  'residual state': { stateUpdate: 'residual', activation: 'swiglu', mlp1221: true },
  'gated state': { stateUpdate: 'gated', activation: 'ffnswiglu' },
  'rotary of the reference': { ropeVariant: 'reference', rope: [{ dim: 4, pct: 1, base: 2 }, null] },
};

/** The variants whose tokens see what follows them. */
export const leaky: Readonly<Record<string, Partial<OmOptions>>> = {
  'positions of the reference': { cope: true, copeVariant: 'reference' },
  'positions of the reference, readme edition': {
    ...readme,
    cope: true,
    copeVariant: 'reference',
    diffAttn: true,
  },
};

/** Parameters of order one, so that every path matters. */
export function lively<P = OmParams<NDArray>>(init: (rng: Rng) => P, seed = 1, scale = 0.5): P {
  const rng = Rng.fromSeed(seed);
  return treeMap<NDArray, NDArray>(init(rng), (leaf, path) => {
    if (/gain$/.test(path)) return rng.normalArray(leaf.shape, 1, 0.2);
    return rng.normalArray(leaf.shape, 0, /initState|embedding/.test(path) ? 1 : scale);
  }) as P;
}

export function randomIds(batch: number, time: number, vocabulary: number, seed = 2): NDArray<'int32'> {
  const rng = Rng.fromSeed(seed);
  return ndarray(
    Int32Array.from({ length: batch * time }, () => rng.int(vocabulary)),
    [batch, time],
    'int32',
  );
}

/** Columns [from, to) of [batch, time]. */
export function columns(ids: NDArray<'int32'>, from: number, to: number): NDArray<'int32'> {
  const [batch, time] = ids.shape as [number, number];
  const size = to - from;
  const data = Int32Array.from(
    { length: batch * size },
    (_, i) => ids.data[Math.floor(i / size) * time + from + (i % size)]!,
  );
  return ndarray(data, [batch, size], 'int32');
}

/** Largest difference of two lists, with the share of it that rounding of large numbers explains taken off. */
export function distance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) return Infinity;
  let worst = 0;
  for (let i = 0; i < a.length; i++) {
    if (a[i] === b[i]) continue;
    worst = Math.max(worst, Math.abs(a[i]! - b[i]!) / (1 + Math.abs(b[i]!)));
  }
  return worst;
}
