import type { GoldenCase, GoldenHandler, GoldenOutputs } from '@palimpsest/base/golden';
import { nextTokenDistribution, Session } from '@palimpsest/lm';
import { type Engine, InputError } from '@palimpsest/tensor-core';
import { createRsmModel } from '../sequence-model.js';
import { configOf, paramsOf } from './read-case.js';
import { type ReferenceSampling, referenceSampling } from './sampling.js';

/** Case 10: the reference's generation past the window's border, by a session. Recorded draws are read, greedy ones made. */
export const generateHandler: GoldenHandler = {
  system: 'rsm',
  kind: 'generate',
  given: ['out/sampled_tokens'],
  run: async (testCase, { engine }) => {
    const model = createRsmModel(configOf(testCase));
    const params = paramsOf(testCase, model.options);
    const session = await Session.create({ engine: engine as Engine, model, params });
    const outputs: GoldenOutputs[] = [];
    for (const name of ['greedy', 'sampled'] as const) {
      if (testCase.has(`out/${name}_tokens`)) outputs.push(await generated(testCase, session, name));
    }
    await session.dispose();
    return Object.assign({}, ...outputs);
  },
};

async function generated(
  testCase: GoldenCase,
  session: Session,
  name: 'greedy' | 'sampled',
): Promise<GoldenOutputs> {
  const settings = testCase.member<Partial<Record<string, ReferenceSampling>>>('sampling', {})[name];
  if (!settings) throw new InputError(`The case '${testCase.name}' does not say how '${name}' is drawn.`);
  const sampling = referenceSampling(settings);
  const prompt = testCase.integers('in/prompt');
  const length = testCase.shape(`out/${name}_tokens`)[0]!;
  const recorded = name === 'sampled' ? testCase.integers('out/sampled_tokens') : undefined;
  const text = [...prompt];
  const [logits, memories, probabilities]: number[][] = [[], [], []];
  await session.prefill(prompt);
  while (text.length < length) {
    const values = await session.logits();
    const distribution = nextTokenDistribution(values, sampling);
    logits!.push(...values);
    probabilities!.push(...distribution);
    memories!.push(...Array.from((await session.snapshot()).state.memory!.data, Number));
    const id = recorded?.[text.length] ?? distribution.indexOf(Math.max(...distribution));
    text.push(id);
    await session.append([id]);
  }
  return {
    [`out/${name}_logits`]: logits,
    [`state/${name}_memory`]: memories,
    [`out/${name}_probs`]: probabilities,
    ...(recorded ? {} : { [`out/${name}_tokens`]: text }),
  };
}
