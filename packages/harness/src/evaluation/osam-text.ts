import {
  CharacterTokenizer,
  corpusText,
  Evaluator,
  encodeCorpus,
  generateStories,
  ngramFloors,
  RandomWindows,
  splitCorpus,
} from '@palimpsest/lm';
import { createOsamModel, spreadDecays } from '@palimpsest/osam';
import { lineChart } from '../report/charts.js';
import type { Evaluation } from './suite.js';
import { trainProbe } from './train-probe.js';

export interface TextSize {
  readonly characters: number;
  readonly steps: number;
  readonly dModel: number;
}

const BATCH = 16;
const WINDOW = 64;
const LONGEST_NGRAM = 5;
/** Value memories that forget at different speeds read long streams better than one that keeps everything. */
const HEADS = 8;

/** Bits per character on held-out stories, beside counted n-grams: windows with a fresh memory, and one long stream. */
export function osamText({ characters, steps, dModel }: TextSize): Evaluation {
  return {
    name: 'osam/text',
    system: 'osam',
    title: 'OSAM: held-out text against n-gram floors',
    async run(context) {
      const corpus = generateStories({ characters, seed: context.seed });
      const tokenizer = CharacterTokenizer.fromText(corpusText(corpus));
      const { train, validation } = splitCorpus(corpus);
      const [trainIds, heldOut] = [
        encodeCorpus(tokenizer, train).ids,
        encodeCorpus(tokenizer, validation).ids,
      ];
      const { vocabSize } = tokenizer;
      const model = createOsamModel({
        vocabSize,
        dModel,
        sketchDim: 4 * dModel,
        readoutHidden: dModel,
        heads: HEADS,
        headDecays: spreadDecays(HEADS),
      });
      const source = new RandomWindows(trainIds, { batch: BATCH, time: WINDOW, seed: context.seed });
      const settings = { steps, weightDecay: 0.01 };
      const probe = await trainProbe(context, model, source, settings, {
        from: 0,
        to: 0.8,
        label: 'training',
      });
      const measure = async (regime: 'windowed' | 'streaming', lanes: number) => {
        const evaluator = new Evaluator(context.engine, model, { chunk: WINDOW, lanes, regime, tokenizer });
        try {
          return await evaluator.run(probe.params, heldOut);
        } finally {
          await evaluator.dispose();
        }
      };
      context.progress(0.85, 'held-out text in windows');
      const windowed = await measure('windowed', 16);
      context.progress(0.9, 'held-out text as a stream');
      const streaming = await measure('streaming', 8);
      const floors = ngramFloors(trainIds, heldOut, { vocabSize, maximumOrder: LONGEST_NGRAM });
      const bigram = floors[1]!.bits;
      const bits = (value: number | undefined) => value ?? Number.NaN;
      return {
        summary: `One block of width ${dModel} reads ${steps} batches of ${BATCH} windows of ${WINDOW} characters. On held-out stories it needs ${bits(windowed.bitsPerCharacter).toFixed(3)} bits per character in windows and ${bits(streaming.bitsPerCharacter).toFixed(3)} as a stream; a counted bigram needs ${bigram.toFixed(3)}.`,
        passed: bits(windowed.bitsPerCharacter) < bigram,
        config: { characters, steps, dModel, batch: BATCH, window: WINDOW, model: model.config },
        metrics: [
          bitsMetric('OSAM, windows', bits(windowed.bitsPerCharacter)),
          bitsMetric('OSAM, one stream', bits(streaming.bitsPerCharacter)),
          ...streaming.buckets.map(({ from, to, loss }) =>
            bitsMetric(`OSAM, stream, ${from} to ${to ?? 'all'} tokens in memory`, loss / Math.LN2),
          ),
          ...floors.map((floor) => bitsMetric(floor.name, floor.bits)),
          { name: 'parameters', value: probe.parameters, unit: '' },
          { name: 'memory per text', value: probe.stateBytes, unit: 'bytes' },
          { name: 'training speed', value: probe.tokensPerSecond, unit: 'tokens/s', higherIsBetter: true },
        ],
        charts: [
          lineChart(
            [
              ...smooth(probe.curve.map(({ loss }) => loss)).map((loss, index) => ({
                x: probe.curve[index]!.step,
                y: loss / Math.LN2,
                series: 'OSAM, training (smoothed)',
              })),
              ...[1, steps].map((x) => ({
                x,
                y: bits(windowed.bitsPerCharacter),
                series: 'OSAM, held-out at the end',
              })),
              ...floors
                .slice(1, 4)
                .flatMap(({ name, bits: y }) => [1, steps].map((x) => ({ x, y, series: name }))),
            ],
            { title: 'Learning to read stories', xTitle: 'step', yTitle: 'bits per character' },
          ),
        ],
      };
    },
  };
}

function bitsMetric(name: string, value: number) {
  return { name, value, unit: 'bits/character', higherIsBetter: false };
}

function smooth(values: readonly number[], weight = 0.1): number[] {
  let average: number | undefined;
  return values.map((value) => {
    average = average === undefined ? value : average + weight * (value - average);
    return average;
  });
}
