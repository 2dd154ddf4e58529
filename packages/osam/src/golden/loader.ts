import { nodeModule } from '@palimpsest/base';
import type { GoldenHandler, GoldenOutputs } from '@palimpsest/base/golden';
import {
  CharacterTokenizer,
  CorruptedInputs,
  corpusText,
  defaultCorpus,
  needleCorpus,
  type RandomSource,
  RandomWindows,
} from '@palimpsest/lm';
import { Mt19937 } from '@palimpsest/sketch';
import { InputError } from '@palimpsest/tensor-core';

const corpora = {
  default: () => defaultCorpus(),
  needleTrain: () => needleCorpus(),
  needleFunctionDefault: () => needleCorpus({ repeats: 6000, every: 200 }),
};
/** Characters of a corpus that the cases show. */
const HEAD = 400;

/** Corpora, vocabulary order, window starts and corruption, all exact. */
export const loaderHandler: GoldenHandler = {
  system: 'osam',
  kind: 'loader',
  expects: ['vocab', 'datasets'],
  run(testCase) {
    const text = preparedText(testCase.member('text', ''));
    const tokenizer = CharacterTokenizer.fromText(text);
    const ids = tokenizer.encode(text);
    const outputs: Record<string, GoldenOutputs[string]> = {
      vocab: [...tokenizer.characters],
      'out/ids': ids,
    };
    const batches = new WindowRecorder(ids, tokenizer.vocabSize, testCase.member('config', {}));
    for (let batch = 0; testCase.names(`out/b${batch}/`).length > 0; batch++) {
      for (const [name, values] of Object.entries(batches.next())) {
        outputs[`out/b${batch}/${name}`] = () => values;
      }
    }
    for (const [name, corpus] of Object.entries(corpora)) {
      const facts = () => corpusFacts(corpusText(corpus()));
      for (const fact of ['chars', 'sha256', 'vocab', 'head'] as const) {
        outputs[`datasets/${name}/${fact}`] = () => facts()[fact];
      }
    }
    return outputs;
  },
};

/** A user's text as the reference prepares it: with a line break and a blank, if it has none. */
function preparedText(text: string): string {
  const ended = text.includes('\n') ? text : `${text}\n`;
  return ended.includes(' ') ? ended : ` ${ended}`;
}

function corpusFacts(text: string) {
  return {
    chars: text.length,
    sha256: nodeModule('node:crypto').createHash('sha256').update(text, 'utf8').digest('hex'),
    vocab: [...CharacterTokenizer.fromText(text).characters],
    head: text.slice(0, HEAD),
  };
}

interface LoaderConfig {
  readonly batchSize?: number;
  readonly seqLen?: number;
  readonly seed?: number;
  readonly corrupt?: number;
  readonly corruptSeed?: number;
}

/** lm's windows and corruption on the reference's random numbers, with a record of what was drawn. */
class WindowRecorder {
  readonly #starts: RecordedStream;
  readonly #corruption: RecordedStream;
  readonly #windows: RandomWindows;
  readonly #corrupted: CorruptedInputs;
  readonly #rate: number;

  constructor(ids: Int32Array, vocabSize: number, config: LoaderConfig) {
    const { batchSize: batch = 1, seqLen: time = 1, seed = 0, corrupt = 0, corruptSeed = 0 } = config;
    this.#rate = corrupt;
    this.#starts = new RecordedStream(seed);
    this.#corruption = new RecordedStream(corruptSeed);
    // The reference never draws the last window: its text ends one token earlier.
    const seen = ids.subarray(0, ids.length - 1);
    this.#windows = new RandomWindows(seen, { batch, time, random: this.#starts });
    const again = new RandomWindows(seen, { batch, time, random: new RecordedStream(seed) });
    const random = this.#corruption;
    this.#corrupted = new CorruptedInputs(again, { rate: corrupt, vocabSize, seed: 0, random });
  }

  next() {
    const { inputs, targets } = this.#windows.next();
    const noisy = this.#corrupted.next();
    const { integers: starts } = this.#starts.take();
    const { uniforms, integers: randomTokens } = this.#corruption.take();
    return {
      x: inputs.data,
      y: targets.data,
      starts,
      corruptMask: uniforms.map((uniform) => (uniform < this.#rate ? 1 : 0)),
      randomTokens,
      xCorrupt: noisy.inputs.data,
    };
  }
}

/** A stream of MT19937 that remembers what it gave. */
class RecordedStream implements RandomSource {
  readonly #stream: Mt19937;
  #uniforms: number[] = [];
  #integers: number[] = [];

  constructor(seed: number) {
    this.#stream = new Mt19937(seed);
  }

  uniform(): number {
    this.#uniforms.push(this.#stream.nextUniform());
    return this.#uniforms.at(-1)!;
  }

  int(bound: number): number {
    this.#integers.push(this.#stream.nextInt(bound));
    return this.#integers.at(-1)!;
  }

  state(): never {
    throw new InputError('The random numbers of the reference have no place to go back to.');
  }

  /** What was given since the last call. */
  take(): { uniforms: number[]; integers: number[] } {
    const taken = { uniforms: this.#uniforms, integers: this.#integers };
    [this.#uniforms, this.#integers] = [[], []];
    return taken;
  }
}
