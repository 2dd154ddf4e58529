import { createOsamModel, type OsamOptions, osamConfigSchema, presets } from '@palimpsest/osam';
import { InputError } from '@palimpsest/tensor-core';
import type { Architecture } from './architecture.js';

const presetNames = ['improved', 'reference', 'text'] as const;

/** One-Shot Algebraic Map. */
export const osam: Architecture = {
  name: 'osam',
  description: 'One-Shot Algebraic Map: the whole text in two sums of fixed size',
  options: osamConfigSchema.omit({ vocabSize: true }),
  presets: presetNames,
  parameterSets: { phase: /\.(thetaQuery|thetaKey|omega)$/ },
  training: {
    reference: { schedule: 'constant', decayed: 'all', sampleTokens: 16, validationFraction: 0 },
  },
  create(vocabSize, options, preset = presetNames[0]) {
    const configure = presets[preset as (typeof presetNames)[number]];
    if (!configure) {
      throw new InputError(`OSAM has no preset '${preset}'; the presets are ${presetNames.join(', ')}.`);
    }
    return createOsamModel(configure({ ...options, vocabSize }));
  },
  restore: (config) => createOsamModel(config as OsamOptions),
};
