import type { Engine } from '@palimpsest/tensor-core';
import { CharacterVocabulary } from '../corpora.js';
import { OsamGenerator } from '../generate.js';
import { expandState } from '../state.js';
import { applicableForms } from './forms.js';
import { GoldenCase } from './golden-case.js';
import type { ParityHandler, ParityOutput } from './types.js';

/** Greedy generation under both primings: ids, logits of every choice, and the primed memory. */
export const generateHandler: ParityHandler = {
  system: 'osam',
  kind: 'generate',
  run: async (testCase, { engine }) => {
    const golden = new GoldenCase(testCase);
    const vocabulary = new CharacterVocabulary(golden.member<string[]>('vocab', []));
    const prompt = vocabulary.encode(golden.member('prompt', ''));
    const outputs: ParityOutput[] = [
      { ...golden.output('promptIds', prompt, golden.tensor('in/promptIds').data), exact: true },
    ];
    for (const form of applicableForms(golden.options('parity'))) {
      const { model, params } = golden.model({ form });
      const generator = new OsamGenerator(engine as Engine, model, params);
      for (const priming of ['reference', 'exact'] as const) {
        outputs.push(...(await generated(golden, generator, prompt, priming, vocabulary, `${form}/`)));
      }
      const primed = await generator.prime(prompt);
      const dense = expandState(primed.state.blocks[0]!, model.options, model.plans[0]!);
      outputs.push(
        golden.output(`${form}/KPrimed`, dense.K!.data, golden.tensor('state/KPrimed').data),
        golden.output(`${form}/HPrimed`, dense.H!.data, golden.tensor('state/HPrimed').data),
      );
      await generator.dispose();
    }
    return outputs;
  },
};

async function generated(
  golden: GoldenCase,
  generator: OsamGenerator,
  prompt: Int32Array,
  priming: 'reference' | 'exact',
  vocabulary: CharacterVocabulary,
  prefix: string,
): Promise<ParityOutput[]> {
  const ids = [...prompt];
  const logits: number[] = [];
  const maxNewTokens = golden.member('maxNewTokens', 0);
  for await (const token of generator.generate(prompt, { priming, greedy: true, maxNewTokens })) {
    ids.push(token.id);
    logits.push(...token.logits);
  }
  const outputs: ParityOutput[] = [
    {
      ...golden.output(`${prefix}${priming}Ids`, ids, golden.tensor(`out/${priming}Ids`).data),
      exact: true,
    },
    golden.output(`${prefix}${priming}Logits`, logits, golden.tensor(`out/${priming}Logits`).data),
  ];
  if (priming === 'reference') {
    outputs.push(golden.output(`${prefix}outText`, vocabulary.decode(ids), golden.member('outText', '')));
  }
  return outputs;
}
