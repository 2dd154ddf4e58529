import type { GoldenCase, GoldenHandler, GoldenJson, GoldenOutputs } from '@palimpsest/base/golden';
import { crossEntropy, type NDArray, tf, warmupCosine } from '@palimpsest/tensor-core';
import { binDocuments, countChunk, type TokensSummary } from '../data/binning.js';
import { type Draw, mixSources, mixSourcesAsPublished } from '../data/mixing.js';
import { packDocuments } from '../data/packing.js';
import { summariseBatches } from '../evaluation/batch-summary.js';
import { runOnce } from './case-parts.js';

interface Packing {
  readonly files: readonly (readonly number[][])[];
  readonly segmentLen: number;
  readonly numPad: number;
  readonly padId: number;
}

function packing(testCase: GoldenCase): GoldenOutputs {
  const { files, segmentLen, numPad, padId } = testCase.member<Packing>('packing', {} as Packing);
  const pack = (variant: 'fixed' | 'reference') => [
    ...packDocuments(files, { sampleLength: segmentLen, numPad, padId, variant }),
  ];
  return { 'packing/referenceSamples': pack('reference'), 'packing/fixedSamples': pack('fixed') };
}

function mixing(testCase: GoldenCase): GoldenOutputs {
  const runs = testCase.member<{ proportions: number[]; lengths: number[] }[]>('proportional', []);
  const items = (draws: Iterable<Draw>) => [
    ...[...draws].map(({ source, index }) => 100 * (source + 1) + index),
    'stop',
  ];
  return Object.fromEntries(
    runs.flatMap(({ proportions, lengths }, i) => [
      [`proportional/${i}/reference`, items(mixSourcesAsPublished(proportions, lengths))],
      [`proportional/${i}/fixed`, items(mixSources(proportions, lengths))],
    ]),
  );
}

interface Preprocessing {
  readonly documents: readonly string[];
  readonly prependStr: string;
  readonly appendStr: string;
  readonly cutoffs: readonly number[];
  readonly chunkSize: number;
  readonly numPad: number;
}

function preprocessing(testCase: GoldenCase): GoldenOutputs {
  const given = testCase.member<Preprocessing>('preprocess', {} as Preprocessing);
  const encoded = given.documents.map((text) =>
    [...`${given.prependStr}${text}${given.appendStr}`].map((character) => character.codePointAt(0)!),
  );
  const summary: TokensSummary = {};
  const result: Record<string, GoldenJson> = { 'tokens_summary.json': summary as unknown as GoldenJson };
  for (const chunk of binDocuments(encoded, given)) {
    countChunk(summary, chunk);
    result[`${chunk.bin}/${chunk.file}`] = chunk.documents.map((document) => document.length);
  }
  return { 'preprocess/result': result };
}

function schedule(testCase: GoldenCase): GoldenOutputs {
  const { warmupSteps, totalSteps, minLrMult, values } = testCase.member('lrSchedule', {
    warmupSteps: 0,
    totalSteps: 1,
    minLrMult: 0,
    values: [] as [number, number?][],
  });
  const rate = warmupCosine({ peak: 1, warmupSteps, totalSteps, floor: minLrMult, fromZero: true });
  return Object.fromEntries(values.map(([step], i) => [`lrSchedule/values/${i}`, [step, rate(step)]]));
}

async function evaluation(testCase: GoldenCase, engine: unknown): Promise<GoldenOutputs> {
  const batches = [];
  for (let i = 0; testCase.has(`in/logits${i}`); i++) {
    const [logits, targets] = [testCase.array(`in/logits${i}`), testCase.array(`in/targets${i}`)];
    const tokens = targets.data.length;
    const loss = (x: tf.Tensor, labels: tf.Tensor) =>
      crossEntropy(tf.reshape(x, [tokens, -1]), tf.reshape(labels, [tokens]));
    const value = (await runOnce(engine, loss, logits, targets)) as NDArray;
    batches.push({ loss: value.data[0]!, tokens });
  }
  const summary = summariseBatches(batches);
  return {
    'out/evalLoss': [summary.loss],
    'out/evalPerplexity': [summary.meanOfPerplexities],
    'out/expOfMeanLoss': [summary.perplexity],
    'out/perBatchLossPerplexity': batches.flatMap(({ loss }) => [loss, Math.exp(loss)]),
  };
}

/** Packing, mixing, binning, the schedule and the figures of an evaluation. */
export const dataCase: GoldenHandler = {
  system: 'om-arc',
  kind: 'data-and-metrics',
  expects: [
    'packing/referenceSamples',
    'packing/fixedSamples',
    'proportional/*/reference',
    'proportional/*/fixed',
    'preprocess/result',
    'lrSchedule/values',
  ],
  given: ['lrSchedule/values/*/0'],
  run: async (testCase, { engine }) => ({
    ...packing(testCase),
    ...mixing(testCase),
    ...preprocessing(testCase),
    ...schedule(testCase),
    ...(await evaluation(testCase, engine)),
  }),
};
