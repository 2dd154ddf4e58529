// What is compared: ours, the options of the model in models.py, and the sizes of a training batch, of a text that is read at
// once, and of one that is written behind a prompt.
import { createTransformer } from '../../packages/backbone/dist/index.js';
import { standardRegistry } from '../../packages/harness/dist/index.js';
import { createOmModel } from '../../packages/om-arc/dist/index.js';
import { createOsamModel, presets } from '../../packages/osam/dist/index.js';
import { createRsmModel } from '../../packages/rsm/dist/index.js';

export const VOCABULARY = 65;

const control = (name, options, batch) => ({
  model: name,
  works: { train: { size: batch }, read: { size: [512] }, decode: { size: [128] } },
  ours(_work, length) {
    const one = standardRegistry.contenders.find((candidate) => candidate.name === name);
    const need = { vocabSize: VOCABULARY, trainLength: length, longestLength: length };
    return one.create(need, one.options.parse(options));
  },
  theirs: () => ({ width: options.width }),
});
const gru = (width, batch) => control('gru', { width, blocks: 'plain' }, batch);

const gpt = (layers, width) => ({
  model: 'gpt',
  works: { train: { size: [12, 64] }, read: { size: [512] }, decode: { size: [128] } },
  ours: (_work, context) =>
    createTransformer({
      ...{ vocabSize: VOCABULARY, context, layers, heads: 4, modelWidth: width },
      ...{ positions: 'learned', activation: 'gelu', norm: 'layer' },
      ...{ queryKeyValueBias: true, outputBias: true, mlpBias: true },
    }),
  theirs: (_work, context) => ({ layers, width, context }),
});

/** d 256 and 8 blocks to train with, d 128 and 4 to read and write with, as in the package's own figures. */
const rsmShape = (work) => (work === 'train' ? { width: 256, layers: 8 } : { width: 128, layers: 4 });
const rsm = (preset, works) => ({
  model: 'rsm',
  works,
  ours(work) {
    const { width, layers } = rsmShape(work);
    const size = { hiddenSize: width, numLayers: layers, numHeads: 4, numMemorySlots: 32, windowSize: 256 };
    return createRsmModel({ vocabSize: VOCABULARY, preset, ...size, dropout: 0, useGlobalSync: false });
  },
  theirs: (work) => ({ ...rsmShape(work), published: preset === 'parity' }),
});

/** Segments of 128 to train and read with, of 512 to write with. */
const omShape = (work) => ({
  segment: work === 'decode' ? 512 : 128,
  ngrams: work === 'train' ? [] : [2, 3],
});
const OM_PASSES = [64, 32, 16];

/** One update of NAMM at a cache of so many tokens; ours.mjs makes it. */
const update = (tokens) => ({ model: 'namm', works: { update: { size: [tokens] } }, theirs: () => ({}) });

export const models = {
  gpt: gpt(4, 256),
  'gpt-small': gpt(4, 128),
  gru: gru(256, [16, 64]),
  'gru-small': gru(64, [12, 64]),
  'linear-attention': control('linear-attention', { width: 256 }, [16, 256]),
  'linear-attention-small': control('linear-attention', { width: 64 }, [12, 64]),
  osam: {
    model: 'osam',
    works: { train: { size: [32, 64] }, read: { size: [128] }, decode: { size: [32] } },
    ours: () =>
      createOsamModel(
        presets.reference({ vocabSize: VOCABULARY, dModel: 64, sketchDim: 2048, readoutHidden: 128 }),
      ),
    theirs: () => ({}),
    tables({ plans }) {
      const { index, sign } = plans[0].tables.key;
      return {
        bucket: { dtype: 'I32', shape: [64], data: Int32Array.from(index) },
        sign: { dtype: 'F32', shape: [64], data: Float32Array.from(sign) },
      };
    },
    // A loop over tokens of a few dozen operations each takes longer to compile than all that is timed.
    compiles: (work) => work === 'decode',
  },
  rsm: rsm('parallel', {
    train: { size: [1, 1024] },
    read: { size: [512] },
    decode: { size: [64], prompt: 128 },
  }),
  'rsm-published': rsm('parity', {
    train: { size: [4, 256] },
    read: { size: [255] },
    decode: { size: [8], prompt: 255 },
  }),
  om: {
    model: 'om',
    works: { train: { size: [4, 256] }, read: { size: [512] }, decode: { size: [8], prompt: 256 } },
    ours(work) {
      const { segment, ngrams } = omShape(work);
      return createOmModel({
        ...{ vocabSize: VOCABULARY, numLayers: 8, dimInput: 256, dimHidden: 1024, numHeads: 8, stateLen: 16 },
        ...{ dimsKey: OM_PASSES, dimsValue: OM_PASSES, segmentLen: segment, initNgrams: ngrams },
      });
    },
    theirs: (work) => ({ ...omShape(work) }),
  },
  'namm-512': update(512),
  'namm-4096': update(4096),
};
