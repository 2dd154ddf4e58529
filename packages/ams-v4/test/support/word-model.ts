import { createTransformer } from '@palimpsest/backbone';
import { type NDArray, Rng, treeLeaves } from '@palimpsest/tensor-core';
import type { FrozenModel } from '../../src/index.js';

/** Ids of pieces of texts, given out as they come. */
function wordTokenizer(size: number): NonNullable<FrozenModel['tokenizer']> {
  const pieces: string[] = [];
  const ids = new Map<string, number>();
  const idOf = (piece: string) => {
    const known = ids.get(piece) ?? (pieces.push(piece) - 1) % size;
    ids.set(piece, known);
    return known;
  };
  return {
    encode: (text) => Array.from(text.matchAll(/ ?[\p{L}\p{N}]+|[^\p{L}\p{N}]/gu), ([piece]) => idOf(piece)),
    decode: (list) => Array.from(list, (id) => pieces[id] ?? `<${id}>`).join(''),
    streamingDecoder: () => ({ push: (id) => pieces[id] ?? '', flush: () => '' }),
  };
}

/** A small rotary model of words with random weights: it says nothing sensible, but it does so exactly. */
export function wordModel(seed = 5): FrozenModel {
  const model = createTransformer({
    vocabSize: 512,
    layers: 3,
    heads: 4,
    keyValueHeads: 2,
    modelWidth: 32,
    context: 256,
    positions: 'rotary',
    norm: 'rms',
    activation: 'swiglu',
    mlpWidth: 48,
    tiedHead: false,
  });
  const rng = Rng.fromSeed(seed);
  const params = model.init(rng) as FrozenModel['params'];
  for (const { path, leaf } of treeLeaves<NDArray>(params)) {
    const gain = path.endsWith('gain');
    for (let i = 0; i < leaf.data.length; i++)
      leaf.data[i] = (gain ? 1 : 0) + (gain ? 0.1 : 0.3) * rng.normal();
  }
  return { model, params, tokenizer: wordTokenizer(512), endIds: [] };
}

const owners = ['my', "my sister's", "Ravi's", "Lena's", "my uncle's", "Priya's"];
const things: [string, string, string][] = [
  ['dog', 'is called', 'What is the name of'],
  ['door', 'is painted', 'Which colour has'],
  ['locker', 'opens with', 'What is the code of'],
  ['boss', 'is named', 'Who is'],
  ['boat', 'has on its side', 'What does one read on'],
];
const names = [
  'Rufus',
  'teal',
  '4580',
  'Santoro',
  'Gomnal',
  'Mochi',
  'ivory',
  '9078',
  'Quigley',
  'Plasbe',
  'Hazel',
  'amber',
];

/** Conversations about who has what, and questions. */
export function talks(count: number, seed: number) {
  const rng = Rng.fromSeed(seed);
  return Array.from({ length: count }, () => {
    const pairs = Array.from(rng.permutation(owners.length * things.length)).slice(0, 8);
    const facts = pairs.map((pair) => {
      const [thing, verb] = things[pair % things.length]!;
      const owner = owners[Math.floor(pair / things.length)]!;
      return `${owner[0]!.toUpperCase()}${owner.slice(1)} ${thing} ${verb} ${names[rng.int(names.length)]}.`;
    });
    const queries = pairs.slice(0, 4).map((pair, target) => {
      const [thing, , question] = things[pair % things.length]!;
      return { text: `${question} ${owners[Math.floor(pair / things.length)]} ${thing}?`, target };
    });
    return { facts, queries };
  });
}
