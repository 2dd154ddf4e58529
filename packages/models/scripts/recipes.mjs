// What is trained, and what its card says of it.
const characters = [
  ...['--sample-every', '0', '--reading', 'shifted-lanes', '--seq-len', '64', '--batch-size', '16'],
  ...['--weight-decay', '0.1', '--warmup-steps', '50', '--minimum-rate', '0.05', '--threads', '1'],
];
const shakespeare = {
  text: 'shakespeare',
  data: {
    text: 'Tiny Shakespeare: 1,003,854 characters of plays, the first 90 % of the text',
    licence: 'public domain',
  },
  prompt: 'ROMEO:\n',
};
const facts = {
  text: 'facts',
  lineEnd: '\n',
  data: {
    text: 'Lines that a program of this package writes: people and what they like, questions about them, other lines',
    licence: 'Apache-2.0, as this package',
  },
  prompt: 'Ada likes tea.',
};

/** By name; `arguments` are those of `palimpsest train`, `architecture` and `options` those of facts-training.mjs. */
export const recipes = {
  osam: {
    ...shakespeare,
    title: 'OSAM on Shakespeare',
    description: 'Writes like Shakespeare, character by character, from an algebraic map of fixed size.',
    arguments: [
      ...['osam', '--preset', 'text', '--d-model', '96', '--layers', '3', '--heads', '8'],
      ...[
        '--head-decays',
        '1,1,1,0.95,0.9,0.7,0.5,0.3',
        '--omega-mode',
        'none',
        '--embedding-init-std',
        '0.1',
      ],
      ...['--read-scale', 'effective', '--learning-rate', '4e-3', '--steps', '1100', ...characters],
    ],
  },
  rsm: {
    ...shakespeare,
    title: 'RSM on Shakespeare',
    description: 'Writes like Shakespeare from chunks of 32 characters that are linked by slots.',
    arguments: [
      ...['rsm', '--preset', 'shakespeare', '--hidden-size', '96', '--num-layers', '2'],
      ...['--weight-init-std', '0.1', '--learning-rate', '3e-3', '--steps', '2400', ...characters],
    ],
  },
  'om-arc': {
    ...shakespeare,
    title: 'Om on Shakespeare',
    description: 'Writes like Shakespeare from segments of 32 characters that are linked by state vectors.',
    arguments: [
      ...[
        'om-arc',
        '--preset',
        'shakespeare',
        '--num-layers',
        '2',
        '--dim-input',
        '96',
        '--dim-hidden',
        '288',
      ],
      ...['--tokenizer', 'character', '--learning-rate', '4e-3', '--steps', '1100', ...characters],
    ],
  },
  window: {
    ...shakespeare,
    title: 'A sliding window on Shakespeare',
    description:
      'A transformer that sees the newest 64 characters: what the other memories are compared with.',
    arguments: [
      ...['transformer', '--preset', 'shakespeare', '--layers', '3', '--heads', '4', '--model-width', '96'],
      ...[
        '--context',
        '64',
        '--window',
        '64',
        '--dropout',
        '0',
        '--learning-rate',
        '3e-3',
        '--steps',
        '2000',
      ],
      ...characters,
    ],
  },
  facts: {
    ...facts,
    title: 'OSAM that remembers what you say',
    description:
      'Told who likes what, it answers after a thousand tokens about other things, and in two cases of three after 20,000.',
    architecture: 'osam',
    preset: 'text',
    // Heads that never forget.
    options: {
      ...{ dModel: 64, layers: 2, heads: 2, headDecays: [1, 1], omegaMode: 'none' },
      ...{ embeddingInitStd: 0.125, readScale: 'effective' },
    },
  },
  'facts-window': {
    ...facts,
    title: 'A sliding window that was told the same',
    description: 'The same lines and questions for a transformer that sees the newest 64 tokens.',
    architecture: 'transformer',
    preset: 'shakespeare',
    options: { layers: 2, heads: 4, modelWidth: 64, context: 64, window: 64, dropout: 0 },
    // What lies further back it cannot see.
    longest: 96,
  },
};
