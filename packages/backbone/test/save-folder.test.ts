import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type NDArray, Rng, treeToRecord } from '@palimpsest/tensor-core';
import { afterAll, describe, expect, it } from 'vitest';
import {
  createTransformer,
  loadPretrained,
  saveFolder,
  type TransformerOptions,
  type TransformerParameters,
} from '../src/index.js';

const root = mkdtempSync(join(tmpdir(), 'palimpsest-save-'));
afterAll(() => rmSync(root, { recursive: true }));

const size = { vocabSize: 40, layers: 2, heads: 4, modelWidth: 16, mlpWidth: 24, context: 32 } as const;
const rotary = { ...size, keyValueHeads: 2, positions: 'rotary', norm: 'rms', activation: 'swiglu' } as const;
const kinds: [string, 'gpt2' | 'qwen2' | 'llama', TransformerOptions][] = [
  [
    'GPT-2',
    'gpt2',
    {
      ...size,
      positions: 'learned',
      activation: 'geluTanh',
      queryKeyValueBias: true,
      outputBias: true,
      mlpBias: true,
    },
  ],
  ['Qwen2, tied', 'qwen2', { ...rotary, rotaryBase: 1e6, normEpsilon: 1e-6, queryKeyValueBias: true }],
  [
    'Llama with a head of its own, stretched',
    'llama',
    { ...rotary, tiedHead: false, rotaryScaling: { kind: 'linear', factor: 4 } },
  ],
];

describe('a folder that is written', () => {
  it.each(kinds)('is read as the same model: %s', async (name, family, options) => {
    const model = createTransformer(options);
    const params = model.init(Rng.fromSeed(3)) as TransformerParameters<NDArray>;
    const folder = join(root, name);
    await saveFolder(folder, { family, model, params, endIds: [7] });
    const again = await loadPretrained(folder);
    expect(again.endIds).toEqual([7]);
    expect(again.warnings).toEqual([]);
    expect({ ...again.model.options, capacity: 0 }).toEqual({ ...model.options, capacity: 0 });
    const [a, b] = [treeToRecord<NDArray>(params), treeToRecord<NDArray>(again.params)];
    expect(Object.keys(b).sort()).toEqual(Object.keys(a).sort());
    for (const [path, { data }] of Object.entries(a)) expect(b[path]!.data).toEqual(data);
  });

  it('is refused for what the family cannot say', async () => {
    const model = createTransformer({ ...rotary, activation: 'gelu' });
    const params = model.init(Rng.fromSeed(3)) as TransformerParameters<NDArray>;
    await expect(saveFolder(join(root, 'no'), { family: 'llama', model, params })).rejects.toThrow(
      'A folder of the family llama cannot say that \'activation\' is "gelu"',
    );
  });
});
