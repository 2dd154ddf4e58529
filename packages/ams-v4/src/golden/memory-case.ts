import type { TransformerParameters } from '@palimpsest/backbone';
import type { GoldenCase, GoldenHandler, GoldenOutputs } from '@palimpsest/base/golden';
import type { SparseVec } from '@palimpsest/kakeya';
import { InputError, type NDArray, ndarray, tf } from '@palimpsest/tensor-core';
import { contentCentroids } from '../encoders/content-centroid.js';
import type { MemLLM4 } from '../model/mem-llm.js';
import { runCase } from './case-parts.js';
import { idRows, memoryOf } from './memory-case-parts.js';

const system = 'ams-v4';
const COORDINATES = ['Base', 'Fiber', 'Dirn'] as const;
const FIELDS = {
  semanticEmb: 'semantic_emb',
  contentWteMean: 'content_wte_mean',
  contextDescriptor: 'context_descriptor',
} as const;

/** Writes of a whole memory, its codes, the prefix and the continuation of each prompt, and the search by topic. */
export const memoryCase: GoldenHandler = {
  system,
  kind: 'memllm-write-generate',
  // Rows of a basis are defined up to sign: which one the published ones have says how ours are turned.
  given: ['out/kakeya*.basis'],
  run: async (testCase, context) => {
    const memory = await memoryOf(testCase, context);
    const written = await writeAll(testCase, memory);
    const prompts = idRows(testCase, 'in/prompts', 'in/promptLen');
    const outputs: Record<string, GoldenOutputs[string]> = {
      ...written,
      ...setsOf(testCase, memory),
      ...codesOf(memory),
      ...entriesOf(memory),
    };
    const texts = prompts.map((ids) => ids.join(' '));
    const { prefix } = await memory.prepareDecodeContext(texts);
    outputs['out/prefix'] = prefix.data;
    const rows: number[][] = [];
    for (const [index, ids] of prompts.entries()) {
      rows.push([...ids, ...(await memory.generateIds(ids, { maxTokens: 8 }))]);
      outputs[`out/prefixLogits.prompt${index}`] = await logitsBehind(
        memory,
        context,
        rowOf(prefix, index),
        ids,
      );
      outputs[`out/modeCQueryDirn.prompt${index}`] = await memory.topicOf(ids);
      const hits = await memory.searchTopic(texts[index]!);
      outputs[`out/modeCHitMids.prompt${index}`] = hits.map(({ id }) => id);
      outputs[`out/modeCHitScores.prompt${index}`] = hits.map(({ value }) => value);
    }
    outputs['out/generated'] = rows.flat();
    outputs['out/generatedLen'] = rows.map((row) => row.length);
    const problems = memory.verifyConsistency();
    if (problems.length > 0) throw new InputError(`The memory is inconsistent: ${problems.join('; ')}.`);
    await memory.dispose();
    return outputs;
  },
};

async function writeAll(testCase: GoldenCase, memory: MemLLM4): Promise<GoldenOutputs> {
  const [summaries, active, hidden]: [number[], number[], number[]] = [[], [], []];
  for (const ids of idRows(testCase, 'in/texts', 'in/textLen')) {
    hidden.push(...(await memory.pool([ids])).data);
    await memory.write(ids.join(' '));
    summaries.push(...memory.sessionSummary!);
    active.push(memory.registry.sets.filter((set) => set.isActive).length);
  }
  return {
    'out/sessionSummary': summaries,
    'out/activeSets': active,
    'out/hidden': hidden,
    'out/raw.semanticEmb': hidden,
  };
}

function entriesOf(memory: MemLLM4): GoldenOutputs {
  const entries = memory.store.allEntries();
  const names = (['time', 'topic', 'ctx'] as const).flatMap((bundle) =>
    COORDINATES.map((part) => `${bundle}${part}` as const),
  );
  return Object.fromEntries(
    names.map((name) => [`out/${name}`, entries.flatMap((entry) => [...entry[name]])]),
  );
}

function codesOf(memory: MemLLM4): GoldenOutputs {
  const entries = memory.store.allEntries();
  const decoded = Object.entries(FIELDS).map(([name, field]) => [
    `out/decoded.${name}`,
    entries.flatMap(({ kakeyaHandle }) => [...memory.registry.decodeField(kakeyaHandle!, field)!]),
  ]);
  const segments = memory.registry.sets.map(({ setIdx }) => [
    `out/kakeya${setIdx}.segId`,
    entries.map(({ kakeyaHandle }) => {
      const record = kakeyaHandle!.records().find((one) => one.setIdx === setIdx);
      return (record as SparseVec).segId;
    }),
  ]);
  const descriptors = entries.flatMap(({ ctxBase }) => [
    ...ctxBase,
    ...new Array(memory.config.dLLM - ctxBase.length).fill(0),
  ]);
  const tokens = entries.map(({ contentTokenIds }) => contentTokenIds);
  return {
    ...Object.fromEntries([...decoded, ...segments]),
    'out/raw.contextDescriptor': descriptors,
    'out/raw.contentWteMean': contentCentroids(tokens, memory.text.unitEmbeddings).data,
  };
}

/** The skeletons, every row of a basis and what is along it turned as the published row is. */
function setsOf(testCase: GoldenCase, memory: MemLLM4): GoldenOutputs {
  const outputs = memory.registry.sets.flatMap(({ skeleton }, k) => {
    const { basis, mean, tDir, centers } = skeleton!;
    const published = testCase.numbers(`out/kakeya${k}.basis`);
    const signs = Array.from({ length: basis.rows }, (_, row) => {
      const place = row * basis.cols;
      const other = published.subarray(place, place + basis.cols);
      return Math.sign(other.reduce((sum, value, i) => sum + value * basis.data[place + i]!, 0));
    });
    return Object.entries({
      basis: basis.data.map((value, i) => value * signs[Math.floor(i / basis.cols)]!),
      mean,
      tDir: tDir.map((value, i) => value * signs[i]!),
      centers: centers.data.map((value, i) => value * signs[i % basis.rows]!),
    }).map(([part, values]) => [`out/kakeya${k}.${part}`, values] as const);
  });
  return Object.fromEntries(outputs);
}

const rowOf = ({ data, shape }: NDArray, row: number): NDArray => {
  const size = shape[1]! * shape[2]!;
  return ndarray(Float32Array.from(data.slice(row * size, (row + 1) * size)), [1, shape[1]!, shape[2]!]);
};

/** Logits of the first token behind a prefix and a prompt. */
async function logitsBehind(
  memory: MemLLM4,
  context: Parameters<GoldenHandler['run']>[1],
  prefix: NDArray,
  prompt: readonly number[],
): Promise<NDArray['data']> {
  const { model } = memory.text;
  const tokens = ndarray(Int32Array.from(prompt), [1, prompt.length], 'int32');
  const { data } = await runCase(
    context,
    (weights: TransformerParameters, ids: tf.Tensor, softPrefix: tf.Tensor) => {
      const state = model.initState(weights, 1);
      return tf.reshape(
        model.run(weights, { tokens: ids, softPrefix }, state, { logits: 'last' }).logits!,
        [-1],
      );
    },
    memory.text.weights,
    tokens,
    prefix,
  );
  return data;
}
