import { decodeSafetensors, encodeSafetensors, type NDArray, Rng, treeLeaves } from '@palimpsest/tensor-core';
import { describe, expect, it } from 'vitest';
import { readReferenceFile, writeReferenceFile } from '../src/checkpoint/reference-file.js';
import { type RsmOptions, resolveConfig } from '../src/config.js';
import { initLegacy } from '../src/legacy/parameters.js';
import { initParameters } from '../src/parameters.js';

const small = { vocabSize: 9, hiddenSize: 8, numLayers: 2, numHeads: 2, numMemorySlots: 3, windowSize: 6 };
const parity = { ...small, preset: 'parity', useAttentionPooling: true } as const;

const fresh = (options: RsmOptions) => {
  const config = resolveConfig(options);
  const make = options.preset === 'legacy' ? initLegacy : initParameters;
  return { config, params: make(config, Rng.fromSeed(5)) };
};

/** The bytes as the reference would have them: no metadata of ours, further tensors, no prefix on the sync. */
function asReference(bytes: Uint8Array, change: (names: Map<string, unknown>) => void = () => {}) {
  const { tensors } = decodeSafetensors(bytes);
  const renamed = new Map([...tensors].map(([name, tensor]) => [name.replace(/^sync\./, ''), tensor]));
  renamed.set('pos_emb.pe', { dtype: 'F32', shape: [12, 8], data: new Float32Array(96) });
  change(renamed);
  return encodeSafetensors(Object.fromEntries(renamed));
}

const flat = (tree: unknown) =>
  treeLeaves<NDArray>(tree).map(({ path, leaf }) => [path, [...leaf.shape], [...leaf.data]]);

describe('files with the reference’s keys', () => {
  it.each([
    ['parity with a sync', { ...parity, syncCadence: 3, dropout: 0.25 }],
    ['causal', { ...small, preset: 'causal', recurrenceInit: 'decayIdentity', resetMemoryEvery: 7 }],
    ['parallel with a sync', { ...small, preset: 'parallel', useGlobalSync: true, chunkSize: 4 }],
    ['legacy', { ...small, preset: 'legacy', numHeads: 1 }],
  ] as const)('round-trip weights and every option: %s', (_name, options) => {
    const { config, params } = fresh(options as RsmOptions);
    const history = { train_loss: [2.1, 1.9], train_acc: [30, 35.5] };
    const read = readReferenceFile(writeReferenceFile(config, params, { history, headWeight: true }));
    expect(read.config).toEqual(config);
    expect(read.history).toEqual(history);
    expect(flat(read.params)).toEqual(flat(params));
  });

  it('names tensors as the reference does', () => {
    const { config, params } = fresh(parity);
    const { tensors, metadata } = decodeSafetensors(writeReferenceFile(config, params));
    expect(tensors.get('blocks.1.memory_write.gate_net.0.weight')!.shape).toEqual([8, 8]);
    expect(tensors.get('sync.mem_from_tokens.out_proj.bias')!.shape).toEqual([8]);
    expect(tensors.get('memory_init')!.shape).toEqual([1, 3, 8]);
    expect(tensors.has('head.weight')).toBe(false);
    expect(JSON.parse(metadata.config!)).toMatchObject({
      vocab_size: 9,
      n_slots: 3,
      num_heads: 2,
      window_size: 6,
    });
  });

  it('a state dict alone gives all but the number of heads, which the caller must give', () => {
    const { config, params } = fresh(parity);
    const bytes = asReference(writeReferenceFile(config, params, { headWeight: true }));
    expect(() => readReferenceFile(bytes)).toThrow('give numHeads');
    const read = readReferenceFile(bytes, { numHeads: 2, dropout: config.dropout });
    expect(read.config).toEqual(config);
    expect(flat(read.params)).toEqual(flat(params));
  });

  it('a first-generation state dict is known by its keys', () => {
    const { config, params } = fresh({ ...small, preset: 'legacy', numHeads: 1 });
    const bytes = asReference(writeReferenceFile(config, params));
    const read = readReferenceFile(bytes);
    expect(read.config.preset).toBe('legacy');
    expect(flat(read.params)).toEqual(flat(params));
  });

  it('what does not fit is said', () => {
    const { config, params } = fresh(parity);
    const bytes = writeReferenceFile(config, params);
    const without = asReference(bytes, (names) => names.delete('blocks.0.norm1.weight'));
    expect(() => readReferenceFile(without, { numHeads: 2 })).toThrow(
      "lack the tensor 'blocks.0.norm1.weight'",
    );
    const untied = asReference(bytes, (names) =>
      names.set('head.weight', { dtype: 'F32', shape: [9, 8], data: new Float32Array(72) }),
    );
    expect(() => readReferenceFile(untied, {}, 'model.safetensors')).toThrow(
      "model.safetensors has a 'head.weight' that differs",
    );
    const none = encodeSafetensors({ a: { dtype: 'F32', shape: [1], data: new Float32Array(1) } });
    expect(() => readReferenceFile(none, { numHeads: 2 })).toThrow("no tensor 'tok_emb.weight'");
  });
});
