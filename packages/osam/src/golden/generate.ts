import type { GoldenCase, GoldenHandler } from '@palimpsest/base/golden';
import { CharacterTokenizer, createDecoder, generate, Session } from '@palimpsest/lm';
import type { Engine, NDArray } from '@palimpsest/tensor-core';
import type { OsamState } from '../state.js';
import { applicableForms, type LoadedModel, loadModel, optionsOf } from './loaded-case.js';
import { FormOutputs } from './outputs.js';

/** Greedy generation by a session under both primings: ids, logits of every choice, text, and the primed memory. */
export const generateHandler: GoldenHandler = {
  system: 'osam',
  kind: 'generate',
  expects: ['outText'],
  async run(testCase, context) {
    const engine = context.engine as Engine;
    const result = new FormOutputs();
    const tokenizer = new CharacterTokenizer(testCase.member('vocab', []));
    const prompt = tokenizer.encode(testCase.member('prompt', ''));
    for (const form of applicableForms(optionsOf(testCase, 'parity'))) {
      const loaded = loadModel(testCase, 'parity', form);
      for (const priming of ['reference', 'exact'] as const) {
        const { ids, logits } = await written(engine, loaded, tokenizer, priming, testCase);
        result.offer(`out/${priming}Ids`, form, ids);
        result.offer(`out/${priming}Logits`, form, logits);
        if (priming === 'reference') result.offer('outText', form, tokenizer.decode(ids));
      }
      const decoder = await createDecoder(engine, loaded.model, loaded.params);
      await decoder.read(prompt);
      result.offerState(loaded.model, (await decoder.state()) as OsamState<NDArray>, form, 'Primed');
      await decoder.dispose();
    }
    return result.outputs;
  },
};

async function written(
  engine: Engine,
  { model, params }: LoadedModel,
  tokenizer: CharacterTokenizer,
  priming: 'reference' | 'exact',
  testCase: GoldenCase,
) {
  const session = await Session.create({ engine, model, params });
  const prompt = testCase.member('prompt', '');
  const ids = [...tokenizer.encode(prompt)];
  const common = { session, tokenizer, priming, sampling: { temperature: 0 } };
  // The prompt alone first, so that the logits of the first choice can be seen.
  for await (const _ of generate({ ...common, prompt, maximumTokens: 0 }));
  const logits = [...(await session.logits())];
  const maximumTokens = testCase.member('maxNewTokens', 0);
  for await (const event of generate({ ...common, keepContext: true, maximumTokens })) {
    if (event.type !== 'token') continue;
    ids.push(event.id);
    if (ids.length < prompt.length + maximumTokens) logits.push(...(await session.logits()));
  }
  await session.dispose();
  return { ids, logits };
}
