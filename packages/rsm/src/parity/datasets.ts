import { CharacterTokenizer, SpecialCharacterTokenizer } from '@palimpsest/lm';
import { InputError } from '@palimpsest/tensor-core';
import { ChunkedDocument } from '../data/chunked-document.js';
import { ChunkedSequences } from '../data/chunked-sequences.js';
import { type KeyValue, layoutNeedles, needleVocabulary, parseNeedles } from '../data/needle.js';
import { GoldenCase } from './golden-case.js';
import type { ParityHandler, ParityOutput } from './types.js';

interface ChunkSettings {
  readonly chunkSize: number;
  readonly overlapRatio: number;
}

interface NeedleSettings {
  readonly vocabSize: number;
  readonly haystackLength: number;
  readonly numNeedles: number;
  readonly numSamples: number;
  readonly keyToken: number;
  readonly valueToken: number;
  readonly queryToken: number;
  readonly keyIds: readonly number[];
  readonly valueIds: readonly number[];
}

type Numbers = ArrayLike<number>;

/** Case 12: overlapping chunks, document chunks, needles, character vocabularies. All of it is exact. */
export const datasetsHandler: ParityHandler = {
  system: 'rsm',
  kind: 'datasets',
  run: (testCase) => {
    const golden = new GoldenCase(testCase);
    return [
      ...golden.member<ChunkSettings[]>('chunked', []).flatMap((s, i) => chunked(golden, s, i)),
      ...strideZero(golden),
      ...golden
        .member<{ chunkSize: number }[]>('document', [])
        .flatMap(({ chunkSize }, i) => documentChunks(golden, chunkSize, i)),
      ...golden.member<NeedleSettings[]>('needle', []).flatMap((s, i) => needles(golden, s, i)),
      ...characters(golden),
    ];
  },
};

const exact = (name: string, actual: Numbers | string, expected: Numbers | string): ParityOutput => ({
  name,
  actual,
  expected,
  atol: 0,
  rtol: 0,
  exact: true,
});

const expectedOf = (golden: GoldenCase, name: string) => golden.tensor(name).data as Int32Array;

function chunked(golden: GoldenCase, settings: ChunkSettings, index: number): ParityOutput[] {
  const dataset = new ChunkedSequences(expectedOf(golden, 'in/tokens'), { ...settings, stride: 'truncate' });
  const starts = Array.from({ length: dataset.length }, (_, example) => dataset.start(example));
  const actual: Record<string, Numbers> = { start: starts, stride: [dataset.stride] };
  if (dataset.length > 0) {
    const last = dataset.at(dataset.length - 1);
    actual.x_last = last.x;
    actual.y_last = last.y;
  }
  return Object.entries(actual).flatMap(([part, values]) => {
    const name = `out/chunked_${index}_${part}`;
    return golden.has(name) ? [exact(name, values, expectedOf(golden, name))] : [];
  });
}

/** Settings whose distance truncates to 0 are errors. */
function strideZero(golden: GoldenCase): ParityOutput[] {
  return golden.member<[number, number][]>('strideZero', []).map(([chunkSize, overlapRatio]) => {
    let outcome = 'accepted';
    try {
      new ChunkedSequences([], { chunkSize, overlapRatio, stride: 'truncate' });
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      outcome = 'refused';
    }
    return exact(`strideZero ${chunkSize} ${overlapRatio}`, outcome, 'refused');
  });
}

function documentChunks(golden: GoldenCase, chunkSize: number, index: number): ParityOutput[] {
  const dataset = new ChunkedDocument(expectedOf(golden, 'in/tokens'), chunkSize);
  const examples = Array.from({ length: dataset.length }, (_, example) => dataset.at(example));
  return (['x', 'y'] as const).map((part) => {
    const name = `out/document_${index}_${part}`;
    return exact(
      name,
      examples.flatMap((example) => [...example[part]]),
      expectedOf(golden, name),
    );
  });
}

/** The draws are the reference's, so each sample is parsed, and laid out again from its fillers and pairs. */
function needles(golden: GoldenCase, settings: NeedleSettings, index: number): ParityOutput[] {
  const { vocabSize, haystackLength, numNeedles, numSamples } = settings;
  const vocabulary = needleVocabulary(vocabSize, numNeedles);
  const name = (part: string) => `out/needle_${index}_${part}`;
  const inputs = expectedOf(golden, name('input'));
  const samples = Array.from({ length: numSamples }, (_, sample) => {
    const input = inputs.subarray(sample * haystackLength, (sample + 1) * haystackLength);
    const parsed = parseNeedles(vocabulary, input);
    return { ...parsed, laidOut: layOutAgain(vocabulary, parsed.pairs, parsed.queryKey, input) };
  });
  const ids = ({ keyToken, valueToken, queryToken, keyIds, valueIds }: Omit<NeedleSettings, 'vocabSize'>) => [
    keyToken,
    valueToken,
    queryToken,
    ...keyIds,
    ...valueIds,
  ];
  const compare = (part: string, actual: number[]) =>
    exact(name(part), actual, expectedOf(golden, name(part)));
  return [
    exact(name('ids'), ids({ ...settings, ...vocabulary }), ids(settings)),
    compare(
      'input',
      samples.flatMap(({ laidOut }) => [...laidOut]),
    ),
    compare(
      'target',
      samples.map(({ target }) => target),
    ),
    compare(
      'queryKey',
      samples.map(({ queryKey }) => queryKey),
    ),
    compare(
      'pairs',
      samples.flatMap(({ pairs }) => pairs.flat()),
    ),
  ];
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

function characters(golden: GoldenCase): ParityOutput[] {
  const chars = golden.member<
    { text: string; plain: number[]; special: number[]; vocab: string } | undefined
  >('chars', undefined);
  if (!chars) return [];
  const plain = CharacterTokenizer.fromText(chars.text);
  const special = SpecialCharacterTokenizer.fromText(chars.text);
  return [
    exact('chars.vocab', plain.characters.join(''), chars.vocab),
    exact('chars.plain', plain.encode(chars.text), chars.plain),
    exact('chars.special', special.encode(chars.text), chars.special),
  ];
}
