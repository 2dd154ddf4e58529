import { tf, treeMap } from '@palimpsest/tensor-core';
import type { MlpPart } from './layer.js';
import type { LayerParams, OmParams } from './parameters.js';

/** Parameters of some layers, stacked, with their MLP. */
export interface LayerStack {
  readonly params: LayerParams;
  readonly part: MlpPart;
}

const slices = <T>(tree: T, first: number, count: number): T =>
  treeMap<tf.Tensor, tf.Tensor>(tree, (leaf) =>
    leaf.shape[0] === count
      ? leaf
      : tf.slice(leaf, [first, ...new Array<number>(leaf.rank - 1).fill(0)], [count, ...leaf.shape.slice(1)]),
  ) as T;

/** All layers one by one: every stacked tensor is split once, so that its gradient is put together once. */
export function splitLayers(params: OmParams): LayerStack[] {
  const { layers, final } = params;
  const count = layers.initState.shape[0]!;
  const pieces = treeMap<tf.Tensor, tf.Tensor[]>(layers, (leaf) =>
    leaf.shape[0] === 1 ? [leaf] : tf.split(leaf, leaf.shape[0]!, 0),
  );
  return Array.from({ length: count }, (_, layer) => {
    const isFinal = final !== undefined && layer === count - 1;
    const own = treeMap<tf.Tensor, tf.Tensor | undefined>(
      layers,
      (_leaf, path) => pieceAt(pieces, path)[layer],
    );
    const layerParams = own as unknown as LayerParams;
    return {
      params: layerParams,
      part: isFinal ? final : { mlp: layerParams.mlp, mlpNorm: layerParams.mlpNorm },
    };
  });
}

function pieceAt(pieces: unknown, path: string): tf.Tensor[] {
  let node = pieces as Record<string, unknown>;
  for (const key of path.split('.')) node = node[key] as Record<string, unknown>;
  return node as unknown as tf.Tensor[];
}

/** Layers `first` to `first + count - 1`, side by side. For models whose layers are all alike. */
export function sliceLayers(params: OmParams, first: number, count: number): LayerStack {
  const sliced = slices(params.layers, first, count);
  return { params: sliced, part: { mlp: sliced.mlp, mlpNorm: sliced.mlpNorm } };
}
