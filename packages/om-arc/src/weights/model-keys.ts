import { InputError, type NDArray, Rng } from '@palimpsest/tensor-core';
import { type OmConfig, type OmOptions, resolveConfig } from '../config.js';
import { initParameters } from '../initialization.js';
import type { MlpParams, OmParams } from '../parameters.js';
import { paddedVocabulary } from '../plan.js';
import { arcCorrespondences } from './arc-keys.js';
import {
  asIs,
  type Correspondence,
  fromNamed,
  type NamedTensors,
  toNamed,
  turned,
} from './correspondence.js';

/**
 * The published names of one MLP.
 * @param mlp gives the shapes of the stack
 * @param at published prefix, our prefix, index in the stack
 */
export function mlpCorrespondences(
  mlp: MlpParams<NDArray>,
  at: { readonly key: string; readonly path: string; readonly layer: number },
): Correspondence[] {
  const { key, path, layer } = at;
  const same = (name: string, ours: string, leaf: NDArray) => {
    const shape = leaf.shape.slice(1);
    const size = shape.reduce((product, extent) => product * extent, 1);
    return asIs(key + name, shape, path + ours, layer * size);
  };
  if ('plain' in mlp) {
    const maps = mlp.plain.flatMap(({ weight, bias }, i) => {
      const [, into, out] = weight.shape as [number, number, number];
      return [
        turned(`${key}${2 * i}.weight`, out, into, `${path}plain.${i}.weight`, layer * into * out),
        same(`${2 * i}.bias`, `plain.${i}.bias`, bias),
      ];
    });
    return mlp.beta ? [...maps, same('1.beta', 'beta', mlp.beta)] : maps;
  }
  if ('gated' in mlp) {
    return mlp.gated.flatMap(({ gate, gateBias, value, valueBias, beta }, i) => [
      same(`${i}.W`, `gated.${i}.gate`, gate),
      same(`${i}.b`, `gated.${i}.gateBias`, gateBias),
      same(`${i}.V`, `gated.${i}.value`, value),
      same(`${i}.c`, `gated.${i}.valueBias`, valueBias),
      ...(beta ? [same(`${i}.swish.beta`, `gated.${i}.beta`, beta)] : []),
    ]);
  }
  return [same('W1', 'gate', mlp.gate), same('V', 'value', mlp.value), same('W2', 'output', mlp.output)];
}

function layerCorrespondences(config: OmConfig, params: OmParams<NDArray>, layer: number): Correspondence[] {
  const d = config.dimInput;
  const key = `layers.${layer}.`;
  const isFinal = params.final !== undefined && layer === config.numLayers - 1;
  const norm = (name: string, path: string, index = layer, width = d) => [
    asIs(`${key}${name}.weight`, [width], `${path}.gain`, index * width),
    asIs(`${key}${name}.bias`, [width], `${path}.bias`, index * width),
  ];
  const mlp = isFinal
    ? [
        ...mlpCorrespondences(params.final!.mlp, { key: `${key}mlp.`, path: 'final.mlp.', layer: 0 }),
        ...norm('mlp_norm', 'final.mlpNorm', 0, d * config.finalMlpMultiplier),
      ]
    : [
        ...mlpCorrespondences(params.layers.mlp, { key: `${key}mlp.`, path: 'layers.mlp.', layer }),
        ...norm('mlp_norm', 'layers.mlpNorm'),
      ];
  return [
    ...arcCorrespondences(config, { key: `${key}attn.`, path: 'layers.', layer }),
    ...norm('attn_norm', 'layers.attentionNorm'),
    ...mlp,
    ...(params.layers.stateNorm ? norm('state_norm', 'layers.stateNorm') : []),
    ...(params.layers.stateGate
      ? [turned(`${key}state_gate.weight`, d, 2 * d, 'layers.stateGate', layer * 2 * d * d)]
      : []),
  ];
}

/** The published names of a whole model. */
export function modelCorrespondences(config: OmConfig, params: OmParams<NDArray>): Correspondence[] {
  const d = config.dimInput;
  const V = paddedVocabulary(config);
  const ngrams = (params.ngrams ?? []).flatMap(({ down, up }, j) => [
    asIs(`ngram_embs.${j}.ngram_down_proj.weight`, down.shape, `ngrams.${j}.down`, 0),
    asIs(`ngram_embs.${j}.ngram_up_proj.weight`, up.shape, `ngrams.${j}.up`, 0),
  ]);
  const convs = (params.convs ?? []).flatMap(({ bias }, j) => {
    const size = config.initConvs[j]!;
    return [
      {
        key: `convs.${j}.weight`,
        shape: [d, d, size],
        path: `convs.${j}.weight`,
        // Published as [out, in, tap], tap 0 the oldest; here the taps lie side by side, [out, tap · in].
        place: (i: number) =>
          Math.floor(i / (d * size)) * d * size + (i % size) * d + (Math.floor(i / size) % d),
      },
      asIs(`convs.${j}.bias`, bias.shape, `convs.${j}.bias`, 0),
    ];
  });
  return [
    asIs('embedder.weight', [V, d], 'embedding', 0),
    ...ngrams,
    ...convs,
    ...Array.from({ length: config.numLayers }, (_, layer) =>
      layerCorrespondences(config, params, layer),
    ).flat(),
    asIs('proj_out.weight', [V, d * config.finalMlpMultiplier], 'head.weight', 0),
    ...(params.head.bias ? [asIs('proj_out.bias', [V], 'head.bias', 0)] : []),
  ];
}

/**
 * Parameters from published weights of either layout, and the configuration with the padding that they have.
 * @param tensors by the names of a state dictionary
 * @throws InputError for weights that do not fit the options.
 */
export function loadReferenceWeights(
  options: OmOptions,
  tensors: NamedTensors,
): { readonly config: OmConfig; readonly params: OmParams<NDArray> } {
  const rows = tensors.get('embedder.weight')?.shape[0];
  if (rows === undefined) throw new InputError("The weights lack 'embedder.weight'; is this a model of Om?");
  if (rows < options.vocabSize) {
    throw new InputError(`The weights have ${rows} ids, but vocabSize says ${options.vocabSize}.`);
  }
  const config = resolveConfig({ ...options, vocabOffset: rows - options.vocabSize });
  const template = initParameters(config, Rng.fromSeed(0));
  return { config, params: fromNamed(template, modelCorrespondences(config, template), tensors) };
}

/** Parameters, or gradients, under the published names. The β that two activations share appears under its first name. */
export function toReferenceWeights(config: OmConfig, params: OmParams<NDArray>): ReturnType<typeof toNamed> {
  const template = initParameters(config, Rng.fromSeed(0));
  return toNamed(params, modelCorrespondences(config, template));
}
