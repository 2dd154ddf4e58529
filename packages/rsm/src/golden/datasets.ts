import { InputError } from '@palimpsest/base';
import type { GoldenCase, GoldenHandler, GoldenOutputs } from '@palimpsest/base/golden';
import { CharacterTokenizer, SpecialCharacterTokenizer } from '@palimpsest/lm';
import { chunkStarts, documentChunks, strideOf } from '../tasks/chunked-text.js';
import { type KeyValue, layoutNeedles, needleVocabulary, parseNeedles } from '../tasks/needle-layout.js';

interface NeedleSettings {
  readonly vocabSize: number;
  readonly haystackLength: number;
  readonly numNeedles: number;
  readonly numSamples: number;
}

/** Case 12: overlapping chunks, document chunks, needles, character vocabularies. All of it is exact. */
export const datasetsHandler: GoldenHandler = {
  system: 'rsm',
  kind: 'datasets',
  expects: [
    'strideZero/*/2',
    ...['keyToken', 'valueToken', 'queryToken', 'keyIds', 'valueIds'].map((field) => `needle/*/${field}`),
    ...['plain', 'special', 'vocab'].map((field) => `chars/${field}`),
  ],
  // The draws are the reference's: samples are parsed, and laid out again from their fillers and pairs.
  given: ['out/needle_*_input'],
  run: (testCase) => {
    const settings = <T>(name: string) => testCase.member<T[]>(name, []);
    const outputs = [
      ...settings<{ chunkSize: number; overlapRatio: number }>('chunked').map((setting, index) =>
        chunked(testCase, setting, index),
      ),
      ...settings<[number, number]>('strideZero').map(([chunkSize, overlapRatio], index) => ({
        [`strideZero/${index}/2`]: refusal(chunkSize, overlapRatio),
      })),
      ...settings<{ chunkSize: number }>('document').map(({ chunkSize }, index) => {
        const examples = documentChunks(testCase.integers('in/tokens'), chunkSize);
        return {
          [`out/document_${index}_x`]: examples.flatMap(({ x }) => [...x]),
          [`out/document_${index}_y`]: examples.flatMap(({ y }) => [...y]),
        };
      }),
      ...settings<NeedleSettings>('needle').map((setting, index) => needles(testCase, setting, index)),
      characters(testCase),
    ];
    return Object.assign({}, ...outputs);
  },
};

function chunked(
  testCase: GoldenCase,
  { chunkSize, overlapRatio }: { readonly chunkSize: number; readonly overlapRatio: number },
  index: number,
): GoldenOutputs {
  const tokens = testCase.integers('in/tokens');
  const stride = strideOf(chunkSize, overlapRatio, 'truncate');
  const starts = chunkStarts(tokens.length, chunkSize, stride);
  const last = starts.at(-1);
  const name = `out/chunked_${index}`;
  return {
    [`${name}_start`]: starts,
    [`${name}_stride`]: [stride],
    ...(last !== undefined && {
      [`${name}_x_last`]: () => tokens.subarray(last, last + chunkSize),
      [`${name}_y_last`]: () => tokens.subarray(last + 1, last + 1 + chunkSize),
    }),
  };
}

/** The error class of the reference for settings that do not move on; ours are errors too. */
function refusal(chunkSize: number, overlapRatio: number): string {
  try {
    return `a stride of ${strideOf(chunkSize, overlapRatio, 'truncate')}`;
  } catch (error) {
    if (error instanceof InputError) return 'ValueError';
    throw error;
  }
}

function needles(testCase: GoldenCase, settings: NeedleSettings, index: number): GoldenOutputs {
  const { vocabSize, haystackLength, numNeedles, numSamples } = settings;
  const vocabulary = needleVocabulary(vocabSize, numNeedles);
  const { keyToken, valueToken, queryToken, keyIds, valueIds } = vocabulary;
  const name = `out/needle_${index}`;
  const inputs = testCase.integers(`${name}_input`);
  const samples = Array.from({ length: numSamples }, (_, sample) => {
    const input = inputs.subarray(sample * haystackLength, (sample + 1) * haystackLength);
    const parsed = parseNeedles(vocabulary, input);
    return { ...parsed, laidOut: layOutAgain(vocabulary, parsed.pairs, parsed.queryKey, input) };
  });
  return {
    [`needle/${index}`]: { keyToken, valueToken, queryToken, keyIds, valueIds },
    [`${name}_input`]: samples.flatMap(({ laidOut }) => [...laidOut]),
    [`${name}_target`]: samples.map(({ target }) => target),
    [`${name}_queryKey`]: samples.map(({ queryKey }) => queryKey),
    [`${name}_pairs`]: samples.flatMap(({ pairs }) => pairs.flat()),
  };
}

function layOutAgain(
  vocabulary: ReturnType<typeof needleVocabulary>,
  pairs: readonly KeyValue[],
  queryKey: number,
  input: Int32Array,
): Int32Array {
  const fillers = input.filter((token) => token >= 1 && token <= vocabulary.lastFiller).values();
  return layoutNeedles(vocabulary, pairs, queryKey, input.length, () => fillers.next().value ?? 0);
}

function characters(testCase: GoldenCase): GoldenOutputs {
  const { text } = testCase.member<{ text?: string }>('chars', {});
  if (text === undefined) return {};
  const plain = CharacterTokenizer.fromText(text);
  return {
    'chars/vocab': plain.characters.join(''),
    'chars/plain': [...plain.encode(text)],
    'chars/special': [...SpecialCharacterTokenizer.fromText(text).encode(text)],
  };
}
