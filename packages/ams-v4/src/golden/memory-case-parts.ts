import { loadPretrained, type Pretrained } from '@palimpsest/backbone';
import { nodeModule, readSafetensors, writeSafetensors } from '@palimpsest/base';
import type { GoldenCase, GoldenContext } from '@palimpsest/base/golden';
import { defaultRouting, type Matrix, mapKey, matrix } from '@palimpsest/kakeya';
import { type Engine, InputError, type NDArray, Rng } from '@palimpsest/tensor-core';
import { type AdapterParameters, adaptersInit } from '../model/adapters.js';
import { MemLLM4 } from '../model/mem-llm.js';
import type { TextTokenizer } from '../model/text-model.js';
import { configOf, weightsOf } from './case-parts.js';

/** Texts are lists of ids in these cases: the tokenizer is the identity. */
export const idTokenizer: TextTokenizer = {
  encode: (text) => text.split(' ').map(Number),
  decode: (ids) => Array.from(ids).join(' '),
  streamingDecoder: () => ({ push: (id) => `${id} `, flush: () => '' }),
};

/** Rows of padded ids, without the padding. */
export function idRows(testCase: GoldenCase, name: string, lengths: string): number[][] {
  const { data, shape } = testCase.array<'int32'>(name);
  return Array.from(testCase.integers(lengths), (length, row) =>
    Array.from(data.slice(row * shape[1]!, row * shape[1]! + length)),
  );
}

/** The GPT-2 model that a case holds, read as a checkpoint folder. */
async function languageModelOf(testCase: GoldenCase): Promise<Pretrained> {
  const { mkdtemp, rm, writeFile } = nodeModule('node:fs').promises;
  const { tmpdir } = nodeModule('node:os');
  const { join } = nodeModule('node:path');
  const folder = await mkdtemp(join(tmpdir(), 'palimpsest-golden-'));
  try {
    const config = { model_type: 'gpt2', ...testCase.member('hfConfig', {}) };
    await writeFile(join(folder, 'config.json'), JSON.stringify(config));
    const tensors = [...testCase.weights('backbone.model.')].map(
      ([name, { data, shape }]) => [name, { data, shape, dtype: 'F32' }] as const,
    );
    await writeSafetensors(join(folder, 'model.safetensors'), Object.fromEntries(tensors));
    return await loadPretrained(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** The adapters of a case; metrics and connections, which these cases do not reach, are left out there. */
export const adaptersOf = (testCase: GoldenCase): AdapterParameters<NDArray> =>
  weightsOf(testCase, adaptersInit(configOf(testCase), Rng.fromSeed(0), 1), '', /\.(metric|conn)\./);

/** Base-to-field maps of the case of writing, which holds them for all cases of its seed. */
async function mapsOf(testCase: GoldenCase): Promise<Record<string, Matrix>> {
  const { join } = nodeModule('node:path');
  const { tensors } = await readSafetensors(join(testCase.folder, 'memllm-write-generate.safetensors'));
  const maps = defaultRouting.map((entry, k) => {
    const found = tensors.get(`in/kakeya${k}.baseToField`);
    if (!found) throw new InputError(`The case of writing lacks the map of set ${k}.`);
    const [rows, columns] = found.shape as [number, number];
    return [mapKey(entry), matrix(rows, columns, Float64Array.from(found.data as Float32Array))] as const;
  });
  return Object.fromEntries(maps);
}

/** The memory of a case with its language model, on the engine of the context. */
export async function memoryOf(testCase: GoldenCase, { engine }: GoldenContext): Promise<MemLLM4> {
  const { model, params, endIds } = await languageModelOf(testCase);
  return new MemLLM4(
    { model, params, endIds, tokenizer: idTokenizer },
    {
      engine: engine as Engine,
      memory: configOf(testCase),
      adapters: adaptersOf(testCase),
      kakeyaMaps: await mapsOf(testCase),
    },
  );
}
