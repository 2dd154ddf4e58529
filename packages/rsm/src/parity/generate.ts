import type { Engine, NDArray } from '@palimpsest/tensor-core';
import { RecomputingReader } from '../generation/recomputing-reader.js';
import { type RsmSampling, rsmDistribution } from '../generation/sampling-filter.js';
import { GoldenCase } from './golden-case.js';
import type { ParityHandler, ParityOutput } from './types.js';

/** A run of a case: the name in front of its tensors. */
type RunName = 'greedy' | 'sampled';

/** Case 10: the parity generator past the window's border. Recorded tokens are fed back, and greedy ones compared. */
export const generateHandler: ParityHandler = {
  system: 'rsm',
  kind: 'generate',
  run: async (testCase, { engine }) => {
    const golden = new GoldenCase(testCase);
    const outputs: ParityOutput[] = [];
    for (const name of ['greedy', 'sampled'] as const) {
      if (golden.has(`out/${name}_tokens`))
        outputs.push(...(await generated(golden, engine as Engine, name)));
    }
    return outputs;
  },
};

async function generated(golden: GoldenCase, engine: Engine, name: RunName): Promise<ParityOutput[]> {
  const config = golden.config();
  const reader = new RecomputingReader(engine, config, golden.params(config));
  const prompt = golden.tensor('in/prompt').data as Int32Array;
  const tokens = golden.tensor(`out/${name}_tokens`).data as Int32Array;
  const sampling = samplingOf(golden, name);
  const logits: number[] = [];
  const memories: number[] = [];
  const probabilities: number[] = [];
  const likeliest: number[] = [...prompt];
  await reader.read(prompt);
  for (const token of tokens.subarray(prompt.length)) {
    const values = await reader.logits();
    const distribution = rsmDistribution(values, sampling);
    logits.push(...values);
    probabilities.push(...distribution);
    memories.push(...((await reader.memory()).data as Float32Array));
    likeliest.push(distribution.indexOf(Math.max(...distribution)));
    await reader.read([token]);
  }
  await reader.dispose();
  const compare = (tensor: string, values: readonly number[]) =>
    golden.compare(tensor, {
      data: Float32Array.from(values),
      shape: golden.tensor(tensor).shape,
      dtype: 'float32',
    } as NDArray);
  return [
    compare(`out/${name}_logits`, logits),
    compare(`state/${name}_memory`, memories),
    compare(`out/${name}_probs`, probabilities),
    ...(name === 'greedy' ? [{ ...compare('out/greedy_tokens', likeliest), exact: true }] : []),
  ];
}

/** How the tokens of a run are drawn: a member of the JSON, or the sentence about it in the notes. */
function samplingOf(golden: GoldenCase, name: RunName): RsmSampling {
  const stated = golden.member<Partial<Record<RunName, RsmSampling>>>('sampling', {})[name];
  if (stated) return stated;
  const sentence = golden
    .member<string[]>('notes', [])
    .map((note) => new RegExp(`\\b${name}: ([^.;]*(?:\\.\\d[^.;]*)*)`).exec(note)?.[1])
    .find((found) => found !== undefined);
  const field = (key: string) => {
    const value = new RegExp(`${key}[ =]+([0-9.]*[0-9])`).exec(sentence ?? '')?.[1];
    return value === undefined ? {} : { [key]: Number(value) };
  };
  return { ...field('temperature'), ...field('topK'), ...field('topP') };
}
