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
const SET_TOLERANCE = 2e-4;

/** Writes of a whole memory, its codes, the prefix and the continuation of each prompt, and the search by topic. */
export const memoryCase: GoldenHandler = {
  system,
  kind: 'memllm-write-generate',
  // Rows of a basis are defined up to sign, so sets are compared in `checkSets`, not by the runner.
  given: ['out/kakeya*.basis', 'out/kakeya*.mean', 'out/kakeya*.tDir', 'out/kakeya*.centers'],
  run: async (testCase, context) => {
    const memory = await memoryOf(testCase, context);
    const written = await writeAll(testCase, memory);
    const prompts = idRows(testCase, 'in/prompts', 'in/promptLen');
    checkSets(testCase, memory);
    const outputs: Record<string, GoldenOutputs[string]> = {
      ...written,
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

/** @throws InputError when the sets differ from the published ones by more than the signs of their basis rows. */
function checkSets(testCase: GoldenCase, memory: MemLLM4): void {
  memory.registry.sets.forEach(({ skeleton }, k) => {
    const expected = (part: string) => testCase.numbers(`out/kakeya${k}.${part}`);
    const { basis, mean, tDir, centers } = skeleton!;
    const width = basis.cols;
    const signs = Array.from({ length: basis.rows }, (_, row) => {
      let product = 0;
      for (let i = 0; i < width; i++)
        product += basis.data[row * width + i]! * expected('basis')[row * width + i]!;
      return Math.sign(product);
    });
    const check = (part: string, own: ArrayLike<number>, sign: (i: number) => number) => {
      expected(part).forEach((value, i) => {
        if (Math.abs(sign(i) * own[i]! - value) <= SET_TOLERANCE) return;
        throw new InputError(`Set ${k}: '${part}' is ${own[i]} at place ${i} and not ${value}, up to sign.`);
      });
    };
    check('basis', basis.data, (i) => signs[Math.floor(i / width)]!);
    check('mean', mean, () => 1);
    check('tDir', tDir, (i) => signs[i]!);
    check('centers', centers.data, (i) => signs[i % basis.rows]!);
  });
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
