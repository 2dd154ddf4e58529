import type { Engine } from '@palimpsest/tensor-core';
import type { RsmOptions } from '../config.js';
import { createRsmModel } from '../sequence-model.js';
import { type AnswerAccuracy, answerAccuracy } from './answer-accuracy.js';
import { MemoryStream } from './memory-stream.js';
import { retrievalTask } from './retrieval-task.js';
import { type TaskTraining, trainOnTask } from './train-on-task.js';

export interface RecallProbeOptions extends Omit<TaskTraining, 'chunk' | 'chunks' | 'placement'> {
  /** What shall differ from the probe's model: preset `parallel`, d 32, 2 layers, 2 heads, 4 slots, chunks of 8. */
  readonly model?: Partial<RsmOptions>;
  /** Chunks per text when it is tested; the fact always stands in the first. Default 2, 6, 8, 16, 32. */
  readonly testChunks?: readonly number[];
  /** Questions per length. Default 256. */
  readonly samples?: number;
}

export interface RecallProbe {
  readonly accuracies: readonly AnswerAccuracy[];
  readonly loss: number;
  readonly parameters: number;
  readonly stateBytes: number;
}

const CHUNK = 8;
const TRAIN_CHUNKS = [2, 3, 4, 5, 6];

/**
 * The recall probe of rsm.md 13: one fact of 8 values is told, filler follows, the question stands in the last chunk.
 * Trained on 2 to 6 chunks, tested on up to 32. Chance is 0.125.
 */
export async function recallProbe(engine: Engine, options: RecallProbeOptions = {}): Promise<RecallProbe> {
  const { model: changes, testChunks = [2, 6, 8, 16, 32], samples = 256, ...training } = options;
  const task = retrievalTask({ entities: 1, values: 8, fillers: 8 });
  const model = createRsmModel({
    hiddenSize: 32,
    numLayers: 2,
    numHeads: 2,
    numMemorySlots: 4,
    windowSize: CHUNK,
    dropout: 0,
    tbpttChunks: Math.max(...TRAIN_CHUNKS),
    ...changes,
    vocabSize: task.vocabSize,
  });
  const trained = await trainOnTask(engine, model, task, {
    ...training,
    chunk: CHUNK,
    chunks: TRAIN_CHUNKS,
    placement: 'firstChunk',
  });
  const stream = new MemoryStream(engine, model, trained.params);
  const accuracies: AnswerAccuracy[] = [];
  for (const chunks of testChunks) {
    const length = chunks * CHUNK;
    const difficulty = task.hardest(length);
    accuracies.push(
      await answerAccuracy(stream, task, { chunk: CHUNK, length, difficulty, samples, seed: 1_000_003 }),
    );
  }
  await stream.dispose();
  const { loss, parameters, stateBytes } = trained;
  return { accuracies, loss, parameters, stateBytes };
}
