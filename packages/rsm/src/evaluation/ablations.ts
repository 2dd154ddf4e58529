import type { Engine } from '@palimpsest/tensor-core';
import type { RsmOptions } from '../config.js';
import { createRsmModel } from '../sequence-model.js';
import { type AnswerAccuracy, answerAccuracy } from './answer-accuracy.js';
import type { AnswerTask } from './answer-task.js';
import { interventions } from './interventions.js';
import { MemoryStream } from './memory-stream.js';
import { type TaskTraining, trainOnTask } from './train-on-task.js';

/** One trained architecture of the capacity-against-cost table. */
export interface ArchitectureAblation {
  readonly slots: number;
  readonly chunk: number;
  readonly parameters: number;
  readonly stateBytes: number;
  readonly tokensPerSecond: number;
  /** Loss at the end of training, nats per answer. */
  readonly loss: number;
  readonly accuracy: AnswerAccuracy;
}

export interface ArchitectureGrid {
  readonly slots: readonly number[];
  readonly chunks: readonly number[];
  /** Tokens per text; whole chunks for every chunk size. */
  readonly length: number;
}

/**
 * Slots against chunk length, every architecture trained with the same number of steps on the same texts: what capacity
 * costs and what it gives.
 */
export async function ablateArchitecture(
  engine: Engine,
  model: RsmOptions,
  task: AnswerTask,
  grid: ArchitectureGrid,
  training: Omit<TaskTraining, 'chunk' | 'chunks'> & { readonly samples?: number },
): Promise<ArchitectureAblation[]> {
  const { samples = 256, ...options } = training;
  const rows: ArchitectureAblation[] = [];
  for (const slots of grid.slots) {
    for (const chunk of grid.chunks) {
      const chunks = grid.length / chunk;
      const candidate = createRsmModel({
        ...model,
        numMemorySlots: slots,
        windowSize: chunk,
        chunkSize: chunk,
        tbpttChunks: chunks,
      });
      const trained = await trainOnTask(engine, candidate, task, { ...options, chunk, chunks: [chunks] });
      const stream = new MemoryStream(engine, candidate, trained.params);
      const { length } = grid;
      const difficulty = task.hardest(length);
      const accuracy = await answerAccuracy(stream, task, { chunk, length, difficulty, samples, seed: 77 });
      await stream.dispose();
      const { parameters, stateBytes, tokensPerSecond, loss } = trained;
      rows.push({ slots, chunk, parameters, stateBytes, tokensPerSecond, loss, accuracy });
    }
  }
  return rows;
}

/** What a trained memory is worth: the same questions with the memory as it is, held, emptied, and swapped. */
export async function ablateMemory(
  stream: MemoryStream,
  task: AnswerTask,
  options: {
    readonly chunk: number;
    readonly difficulty: number;
    readonly length?: number;
    readonly samples?: number;
  },
): Promise<Readonly<Record<'intact' | keyof typeof interventions, AnswerAccuracy>>> {
  const ask = (name?: keyof typeof interventions) =>
    answerAccuracy(stream, task, { ...options, seed: 99, ...(name && { intervene: interventions[name] }) });
  return {
    intact: await ask(),
    freezeWrites: await ask('freezeWrites'),
    zeroMemory: await ask('zeroMemory'),
    shuffleMemory: await ask('shuffleMemory'),
  };
}
