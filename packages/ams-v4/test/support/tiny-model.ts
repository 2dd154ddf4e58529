import { createTransformer } from '@palimpsest/backbone';
import { type NDArray, Rng, treeLeaves } from '@palimpsest/tensor-core';
import type { FrozenModel } from '../../src/index.js';

/** A small model of bytes with weights that are far from zero; every character below 128 is a token. */
export function tinyModel(seed = 5): FrozenModel {
  const model = createTransformer({
    vocabSize: 128,
    layers: 2,
    heads: 2,
    modelWidth: 32,
    context: 128,
    positions: 'rotary',
    norm: 'rms',
    activation: 'swiglu',
    mlpWidth: 48,
  });
  const rng = Rng.fromSeed(seed);
  const params = model.init(rng) as FrozenModel['params'];
  for (const { path, leaf } of treeLeaves<NDArray>(params)) {
    const gain = path.endsWith('gain');
    for (let i = 0; i < leaf.data.length; i++)
      leaf.data[i] = (gain ? 1 : 0) + (gain ? 0.1 : 0.3) * rng.normal();
  }
  const tokenizer: FrozenModel['tokenizer'] = {
    encode: (text) => Array.from(text, (character) => character.charCodeAt(0) % 128),
    decode: (ids) => String.fromCharCode(...Array.from(ids)),
    streamingDecoder: () => ({ push: (id) => String.fromCharCode(id), flush: () => '' }),
  };
  return { model, params, tokenizer, endIds: [] };
}

export const sentences = [
  'My dog is called Rufus.',
  'The front door is teal.',
  'My sister plays the harmonica.',
  'The office is in Quito.',
  'My favourite bird is the kestrel.',
  'The locker opens with 4580.',
  'My teacher is called Santoro.',
  'Dinner is always lasagna.',
  'The boat is named Gomnal.',
];
