import {
  dropout,
  gelu,
  layerNorm,
  linear,
  MASKED,
  type NDArray,
  type Rng,
  softmax,
  tf,
  zeros,
} from '@palimpsest/tensor-core';

/** Size of the seed's transformer. */
export interface SeedTransformerConfig {
  readonly vocabSize: number;
  readonly maxSeqLength: number;
  readonly dModel: number;
  readonly nHeads: number;
  readonly nLayers: number;
  readonly dFf: number;
  readonly dropout: number;
  readonly activation: 'gelu' | 'relu';
}

/** Weights under the seed's names. */
export type SeedWeights<T = tf.Tensor> = { readonly [name: string]: T };

const EPSILON = 1e-5;

/** Shapes of all weights. */
export function seedShapes(config: SeedTransformerConfig): Readonly<Record<string, readonly number[]>> {
  const { vocabSize, maxSeqLength, dModel: d, nLayers, dFf } = config;
  const affine = (name: string, out: number, into: number) => [
    [`${name}.weight`, [out, into]] as const,
    [`${name}.bias`, [out]] as const,
  ];
  const norm = (name: string) => [[`${name}.weight`, [d]] as const, [`${name}.bias`, [d]] as const];
  const blocks = Array.from({ length: nLayers }, (_, i) => [
    ...['q', 'k', 'v', 'o'].flatMap((part) => affine(`blocks.${i}.attention.${part}_proj`, d, d)),
    ...norm(`blocks.${i}.norm1`),
    ...norm(`blocks.${i}.norm2`),
    ...affine(`blocks.${i}.ff.0`, dFf, d),
    ...affine(`blocks.${i}.ff.3`, d, dFf),
  ]);
  return Object.fromEntries<readonly number[]>([
    ['token_embedding.weight', [vocabSize, d]],
    ['pos_embedding', [1, maxSeqLength, d]],
    ...blocks.flat(),
    ...norm('norm'),
    ...affine('output', vocabSize, d),
  ]);
}

/** Fresh weights: normal at the scale of their inputs, gains 1, biases and positions 0. */
export function initSeedWeights(config: SeedTransformerConfig, rng: Rng): SeedWeights<NDArray> {
  const fresh = ([name, shape]: readonly [string, readonly number[]]): NDArray => {
    if (/norm\d?\.weight$/.test(name)) return { ...zeros(shape), data: zeros(shape).data.fill(1) };
    const isMatrix = shape.length === 2;
    const deviation = name.startsWith('token_embedding') ? 1 : 1 / Math.sqrt(shape[1] ?? 1);
    return isMatrix ? rng.normalArray(shape, 0, deviation) : zeros(shape);
  };
  return Object.fromEntries(
    Object.entries(seedShapes(config)).map((entry) => [entry[0], fresh(entry)] as const),
  );
}

/**
 * The seed's transformer as published: learned positions, pre-norm, all biases.
 * @param ids int32 `[batch, time]`
 * @param mask 0/1 `[time, time]`, 0 blocks; it takes the place of the causal one, as published
 * @param dropoutKey int32 `[2]` in training; without it nothing is dropped
 * @returns `[batch, time, vocabSize]`
 */
export function seedForward(
  config: SeedTransformerConfig,
  weights: SeedWeights,
  ids: tf.Tensor,
  mask?: tf.Tensor,
  dropoutKey?: tf.Tensor,
): tf.Tensor3D {
  const [batch, time] = ids.shape as [number, number];
  const { dModel, nLayers, vocabSize } = config;
  const places = tf.slice(weights.pos_embedding!, [0, 0, 0], [1, time, dModel]);
  const embedded = tf.gather(weights['token_embedding.weight']!, tf.reshape(ids, [-1]));
  let x = tf.reshape(tf.add(tf.reshape(embedded, [batch, time, dModel]), places), [batch * time, dModel]);
  const blocked = mask ? blockedBy(mask) : causal(time);
  for (let block = 0; block < nLayers; block++) {
    const drop = (value: tf.Tensor, site: number) =>
      dropoutKey && config.dropout > 0
        ? dropout(value, config.dropout, tf.add(dropoutKey, tf.tensor1d([0, 3 * block + site], 'int32')))
        : value;
    const at = affineOf(weights, `blocks.${block}`);
    x = tf.add(x, attention(config, at, at.norm('norm1', x), [batch, time], blocked, drop));
    const hidden = at.affine('ff.0', at.norm('norm2', x));
    const active = config.activation === 'relu' ? tf.relu(hidden) : gelu(hidden);
    x = tf.add(x, drop(at.affine('ff.3', drop(active, 1)), 2));
  }
  const final = layerNorm(x, weights['norm.weight']!, weights['norm.bias']!, EPSILON);
  return tf.reshape(linear(final, weights['output.weight']!, weights['output.bias']), [
    batch,
    time,
    vocabSize,
  ]) as tf.Tensor3D;
}

interface BlockWeights {
  affine(name: string, x: tf.Tensor): tf.Tensor;
  norm(name: string, x: tf.Tensor): tf.Tensor;
}

const affineOf = (weights: SeedWeights, prefix: string): BlockWeights => ({
  affine: (name, x) => linear(x, weights[`${prefix}.${name}.weight`]!, weights[`${prefix}.${name}.bias`]),
  norm: (name, x) =>
    layerNorm(x, weights[`${prefix}.${name}.weight`]!, weights[`${prefix}.${name}.bias`]!, EPSILON),
});

function attention(
  { dModel, nHeads }: SeedTransformerConfig,
  { affine }: BlockWeights,
  x: tf.Tensor,
  [batch, time]: readonly [number, number],
  blocked: tf.Tensor,
  drop: (x: tf.Tensor, site: number) => tf.Tensor,
): tf.Tensor {
  const width = dModel / nHeads;
  const byHead = (name: string) =>
    tf.transpose(tf.reshape(affine(`attention.${name}_proj`, x), [batch, time, nHeads, width]), [0, 2, 1, 3]);
  const logits = tf.mul(tf.matMul(byHead('q'), byHead('k'), false, true), 1 / Math.sqrt(width));
  const read = tf.matMul(drop(softmax(tf.add(logits, blocked)), 0), byHead('v'));
  return affine('attention.o_proj', tf.reshape(tf.transpose(read, [0, 2, 1, 3]), [batch * time, dModel]));
}

function causal(time: number): tf.Tensor {
  const values = Float32Array.from({ length: time * time }, (_, index) =>
    index % time > Math.floor(index / time) ? MASKED : 0,
  );
  return tf.tensor4d(values, [1, 1, time, time]);
}

const blockedBy = (mask: tf.Tensor): tf.Tensor =>
  tf.mul(tf.sub(1, tf.reshape(tf.cast(mask, 'float32'), [1, 1, ...mask.shape])), MASKED);
