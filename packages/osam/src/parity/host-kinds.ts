import { CharacterVocabulary, defaultCorpus, externalCorpus, needleCorpus } from '../corpora.js';
import { greedyId, samplingProbabilities } from '../sampling.js';
import { WindowLoader } from '../window-loader.js';
import { GoldenCase } from './golden-case.js';
import type { ParityHandler, ParityOutput } from './types.js';

interface SamplingSetting {
  readonly temp: number;
  readonly topK: number;
  readonly topP: number;
}

/** Probability vectors under both top-p rules, and the greedy choice. */
export const samplingHandler: ParityHandler = {
  system: 'osam',
  kind: 'sampling',
  run: (testCase) => {
    const golden = new GoldenCase(testCase);
    const outputs: ParityOutput[] = [];
    golden.member<SamplingSetting[]>('settings', []).forEach(({ temp, topK, topP }, index) => {
      const logits = golden.tensor(`in/s${index}/logits`).data;
      const rules = { probs: 'exclusive', probsNucleus: 'nucleus' } as const;
      for (const [name, topPRule] of Object.entries(rules)) {
        const actual = samplingProbabilities(logits, { temperature: temp, topK, topP, topPRule });
        outputs.push(golden.output(`s${index}/${name}`, actual, golden.tensor(`out/s${index}/${name}`).data));
      }
    });
    const greedy = greedyId(golden.tensor('in/greedyLogits').data);
    return [
      ...outputs,
      { ...golden.output('greedy', [greedy], golden.tensor('out/greedy').data), exact: true },
    ];
  },
};

interface CorpusFacts {
  readonly chars: number;
  readonly sha256: string;
  readonly vocab: readonly string[];
  readonly head: string;
}

const builtInCorpora: Readonly<Record<string, () => string>> = {
  default: defaultCorpus,
  needleTrain: () => needleCorpus(),
  needleFunctionDefault: () => needleCorpus({ repetitions: 6000, spacing: 200 }),
};

/** Corpora, vocabulary order, window starts and corruption, all exact. */
export const loaderHandler: ParityHandler = {
  system: 'osam',
  kind: 'loader',
  run: async (testCase) => {
    const golden = new GoldenCase(testCase);
    const text = externalCorpus(golden.member('text', ''));
    const vocabulary = CharacterVocabulary.of(text);
    const ids = vocabulary.encode(text);
    const outputs = [
      golden.output('vocab', vocabulary.characters.join(''), golden.member<string[]>('vocab', []).join('')),
      golden.output('ids', ids, golden.tensor('out/ids').data),
      ...loaderBatches(golden, ids, vocabulary.size),
    ];
    for (const [name, facts] of Object.entries(golden.member<Record<string, CorpusFacts>>('datasets', {}))) {
      outputs.push(...(await corpusOutputs(golden, name, facts)));
    }
    return outputs;
  },
};

function loaderBatches(golden: GoldenCase, ids: Int32Array, vocabSize: number): ParityOutput[] {
  const config = golden.member<Record<string, number>>('config', {});
  const common = { batchSize: config.batchSize!, seqLen: config.seqLen!, seed: config.seed! };
  const plain = new WindowLoader(ids, common);
  const corrupted = new WindowLoader(ids, {
    ...common,
    corrupt: config.corrupt ?? 0,
    corruptSeed: config.corruptSeed ?? 0,
    vocabSize,
  });
  const outputs: ParityOutput[] = [];
  for (let batch = 0; golden.has(`out/b${batch}/x`); batch++) {
    const clean = plain.next();
    const noisy = corrupted.next();
    const actual = {
      x: clean.x.data,
      y: clean.y.data,
      starts: clean.starts,
      corruptMask: noisy.corruption?.mask,
      randomTokens: noisy.corruption?.tokens,
      xCorrupt: noisy.x.data,
    };
    for (const [name, values] of Object.entries(actual)) {
      const key = `out/b${batch}/${name}`;
      if (golden.has(key) && values) outputs.push(golden.output(key, values, golden.tensor(key).data));
    }
  }
  return outputs;
}

async function corpusOutputs(golden: GoldenCase, name: string, facts: CorpusFacts): Promise<ParityOutput[]> {
  const { createHash } = await import('node:crypto');
  const text = builtInCorpora[name]?.() ?? '';
  const digest = createHash('sha256').update(text, 'utf8').digest('hex');
  const vocabulary = CharacterVocabulary.of(text);
  return [
    golden.output(`${name}/chars`, [text.length], [facts.chars]),
    golden.output(`${name}/sha256`, digest, facts.sha256),
    golden.output(`${name}/vocab`, vocabulary.characters.join(''), facts.vocab.join('')),
    golden.output(`${name}/head`, text.slice(0, facts.head.length), facts.head),
  ];
}
