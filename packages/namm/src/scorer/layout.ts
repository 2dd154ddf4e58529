import { InputError } from '@palimpsest/tensor-core';
import { featureWidth } from '../check-config.js';
import type { NAMMConfig } from '../config.js';

/** A tensor in the flat vector of parameters, input index first. */
export interface Part {
  readonly name: string;
  readonly shape: readonly [number, number] | readonly [number];
}

/** Layers of a readout: from the features through hidden layers to one number. */
function readoutParts(depth: number, input: number, hidden: number, bias: boolean): Part[] {
  return Array.from({ length: depth }, (_, layer): Part[] => {
    const shape = [layer === 0 ? input : hidden, layer === depth - 1 ? 1 : hidden] as const;
    const weight: Part = { name: `readout.${layer}.weight`, shape };
    return bias ? [weight, { name: `readout.${layer}.bias`, shape: [shape[1]] }] : [weight];
  }).flat();
}

/** The tensors of one scorer in the order of the flat vector. */
export function scorerParts(config: NAMMConfig): readonly Part[] {
  const width = featureWidth(config);
  const threshold: Part[] = config.selection.kind === 'dynamic' ? [{ name: 'logThreshold', shape: [1] }] : [];
  if (config.scorer === 'mlp' || config.scorer === 'linear') {
    const { depth, hidden, bias } = config.mlp;
    return [...readoutParts(depth, width, hidden ?? width, bias), ...threshold];
  }
  if (config.parameterisation === 'folded') {
    return [
      { name: 'A', shape: [width, width] },
      { name: 'c', shape: [width] },
      { name: 'u', shape: [width] },
      { name: 'G', shape: [width, width] },
      { name: 'w1', shape: [width] },
      { name: 'b1', shape: [1] },
      ...threshold,
    ];
  }
  const { hiddenDim, bias, residual, mult, mlpDepth, mlpHidden, mlpBias } = config.bam;
  const read = residual && mult ? 2 * width : width;
  const biasOf = (name: string, size: number): Part[] => (bias ? [{ name, shape: [size] }] : []);
  return [
    { name: 'queryKeyValue.weight', shape: [width, 3 * hiddenDim] },
    ...biasOf('queryKeyValue.bias', 3 * hiddenDim),
    { name: 'output.weight', shape: [hiddenDim, read] },
    ...biasOf('output.bias', read),
    ...readoutParts(mlpDepth, width, mlpHidden ?? width, mlpBias),
    ...threshold,
  ];
}

const sizeOfPart = ({ shape }: Part) => shape.reduce<number>((size, extent) => size * extent, 1);

/** Parameters of one scorer. */
export const scorerSize = (config: NAMMConfig): number =>
  scorerParts(config).reduce((sum, part) => sum + sizeOfPart(part), 0);

/**
 * Parameters of a policy: one scorer, or one for every layer, or for every layer and head.
 * @param layers of the model; `heads` its key/value heads
 */
export function parameterCount(config: NAMMConfig, layers = 1, heads = 1): number {
  const { paramSharing } = config;
  const scorers = paramSharing === 'shared' ? 1 : paramSharing === 'perLayer' ? layers : layers * heads;
  return scorers * scorerSize(config);
}

/**
 * Where in the vector the parameters of a layer stand: as many scorers as heads have their own, one otherwise.
 * @throws InputError when the vector has another length than the policy needs.
 */
export function scorersOfLayer(
  config: NAMMConfig,
  length: number,
  layer: number,
  heads: number,
): { readonly offset: number; readonly scorers: number } {
  const size = scorerSize(config);
  const { paramSharing } = config;
  if (paramSharing === 'shared') {
    if (length !== size) {
      throw new InputError(`This policy has ${size} parameters, but ${length} were given.`);
    }
    return { offset: 0, scorers: 1 };
  }
  const scorers = paramSharing === 'perHead' ? heads : 1;
  const offset = layer * scorers * size;
  if (length % (scorers * size) !== 0 || offset + scorers * size > length) {
    throw new InputError(
      `This policy has ${scorers * size} parameters for every layer, but ${length} were given, which hold no layer ${layer}; '${paramSharing}' parameters fit one model's shape only.`,
    );
  }
  return { offset, scorers };
}

/** Tensors of one scorer by name, in float64, from its flat vector. */
export function unpack(config: NAMMConfig, flat: ArrayLike<number>): ReadonlyMap<string, Float64Array> {
  const values = Float64Array.from(flat);
  let at = 0;
  return new Map(
    scorerParts(config).map((part) => {
      const size = sizeOfPart(part);
      at += size;
      return [part.name, values.subarray(at - size, at)];
    }),
  );
}

/** Scores below it fall: 0, or what the 'dynamic' selection has learned, whose logarithm ends the vector. */
export const learnedThreshold = ({ selection }: NAMMConfig, vector: Float32Array): number =>
  selection.kind === 'dynamic' ? Math.exp(vector.at(-1)!) : 0;
