import { createTransformer, type Transformer, type TransformerParameters } from '@palimpsest/backbone';
import { type NDArray, ndarray, Rng, treeMap } from '@palimpsest/tensor-core';
import { nammPolicy, parameterCount, resolveNAMMConfig } from '../../src/index.js';

/** A small transformer whose weights are large enough for attention to differ between tokens. */
export function livelyTransformer(options: Partial<Parameters<typeof createTransformer>[0]> = {}): {
  model: Transformer;
  params: TransformerParameters<NDArray>;
} {
  const model = createTransformer({
    vocabSize: 97,
    context: 32,
    layers: 2,
    heads: 4,
    keyValueHeads: 2,
    modelWidth: 16,
    norm: 'rms',
    activation: 'swiglu',
    ...options,
  });
  const params = treeMap<NDArray, NDArray, TransformerParameters<NDArray>>(
    model.init(Rng.fromSeed(3)),
    (leaf) =>
      leaf.shape.length < 2
        ? leaf
        : ndarray(
            Float32Array.from(leaf.data, (value) => 12 * value),
            leaf.shape,
          ),
  );
  return { model, params };
}

/** Ids of texts without repetitions, whose keys would be equal but for rounding: int32 `[batch, time]`. */
export function texts(batch: number, time: number, seed = 1): NDArray<'int32'> {
  const rng = Rng.fromSeed(seed);
  const rows = Array.from({ length: batch }, () => [...rng.permutation(97).subarray(0, time)]);
  return ndarray(Int32Array.from(rows.flat()), [batch, time], 'int32');
}

/** A policy of small windows whose random parameters keep some tokens and drop others. */
export function smallNamm(more: Parameters<typeof resolveNAMMConfig>[0] = {}, seed = 6, deviation = 0.6) {
  const config = resolveNAMMConfig({
    nFft: 8,
    hopLength: 4,
    emaCoeff: 0.9,
    recencyEmbedDim: 4,
    updateInterval: 16,
    maxTokensPerForward: 8,
    normalise: false,
    ...more,
    bam: { hiddenDim: 6, ...more.bam },
  });
  const vector = Float32Array.from(
    Rng.fromSeed(seed).normalArray([parameterCount(config)], 0, deviation).data,
  );
  return { config, vector, policy: nammPolicy(config, { vectors: [vector] }) };
}

export const maxDifference = (a: ArrayLike<number>, b: ArrayLike<number>): number => {
  if (a.length !== b.length) return Number.POSITIVE_INFINITY;
  let largest = 0;
  for (let i = 0; i < a.length; i++) {
    const difference = Math.abs(a[i]! - b[i]!);
    largest = difference > largest || Number.isNaN(difference) ? difference : largest;
  }
  return largest;
};
