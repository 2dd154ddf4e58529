import { type JsonObject, type LoadedCheckpoint, saveCheckpoint, type Tokenizer } from '@palimpsest/lm';
import { InputError, type NDArray, type RngState } from '@palimpsest/tensor-core';
import { z } from 'zod';
import { batchesOf, type ChunkDataset } from '../data/chunk-example.js';
import type { RsmParams } from '../parameters.js';
import { EpochTrainer, type EpochTrainerOptions } from './epoch-trainer.js';

/** Figures of every epoch so far, as the reference logs them. */
export interface EpochHistory {
  /** Mean of the chunks' losses, nats per token. */
  readonly trainLoss: readonly number[];
  /** Percent of tokens right, on the training text in training mode. */
  readonly trainAccuracy: readonly number[];
}

export interface TrainEpochsOptions extends EpochTrainerOptions {
  readonly dataset: ChunkDataset;
  /** Passes over the dataset in all. Default 10. */
  readonly epochs?: number;
  /** Default 32. */
  readonly batchSize?: number;
  /** Draw the examples in another order in every epoch, as the reference does. Default true. */
  readonly shuffle?: boolean;
  /** Folder for checkpoints `epoch-<n>`. Without it nothing is saved. */
  readonly folder?: string;
  /** Epochs between two checkpoints; the last one is always saved. Default 10. */
  readonly checkpointEvery?: number;
  /** Stored in the checkpoints. */
  readonly tokenizer?: Tokenizer;
  /** Goes on exactly where this checkpoint was saved. */
  readonly resume?: LoadedCheckpoint;
  readonly signal?: AbortSignal;
}

export interface EpochEvent {
  /** From 1. */
  readonly epoch: number;
  readonly loss: number;
  /** Percent. */
  readonly accuracy: number;
  /** Lowest loss and highest accuracy so far, with their epochs. */
  readonly best: {
    readonly loss: number;
    readonly lossEpoch: number;
    readonly accuracy: number;
    readonly accuracyEpoch: number;
  };
  readonly history: EpochHistory;
  /** Folder of the checkpoint that was saved after this epoch. */
  readonly checkpoint?: string;
}

const progressSchema = z.object({
  kind: z.literal('rsm-epochs'),
  trainLoss: z.array(z.number()),
  trainAccuracy: z.array(z.number()),
  rng: z.array(z.number()),
});

/**
 * The reference's training (rsm.md 7): passes over shuffled chunks, figures per epoch, a checkpoint every ten.
 * @throws InputError for a checkpoint of another kind of training.
 */
export async function* trainEpochs(options: TrainEpochsOptions): AsyncGenerator<EpochEvent, void, undefined> {
  const {
    epochs = 10,
    dataset,
    batchSize = 32,
    shuffle = true,
    folder,
    checkpointEvery = 10,
    signal,
  } = options;
  const resumed = options.resume && resumeFrom(options.resume);
  const history = { trainLoss: resumed?.trainLoss ?? [], trainAccuracy: resumed?.trainAccuracy ?? [] };
  const trainer = new EpochTrainer({ ...options, ...resumed?.trainer });
  try {
    for (let epoch = history.trainLoss.length + 1; epoch <= epochs && !signal?.aborted; epoch++) {
      const shuffleSeed = (options.seed ?? 0) * 1_000_003 + epoch;
      const batches = batchesOf(dataset, { batchSize, ...(shuffle && { shuffleSeed }) });
      const { loss, accuracy } = await trainer.run(batches, signal ? { signal } : {});
      if (signal?.aborted) return;
      history.trainLoss.push(loss);
      history.trainAccuracy.push(100 * accuracy);
      const isSaved = folder !== undefined && (epoch % checkpointEvery === 0 || epoch === epochs);
      const event = describe(epoch, history);
      if (!isSaved) yield event;
      else yield { ...event, checkpoint: await save(`${folder}/epoch-${epoch}`, options, trainer, history) };
    }
  } finally {
    await trainer.dispose();
  }
}

function describe(epoch: number, { trainLoss, trainAccuracy }: EpochHistory): EpochEvent {
  const loss = Math.min(...trainLoss);
  const accuracy = Math.max(...trainAccuracy);
  return {
    epoch,
    loss: trainLoss.at(-1)!,
    accuracy: trainAccuracy.at(-1)!,
    best: {
      loss,
      lossEpoch: trainLoss.indexOf(loss) + 1,
      accuracy,
      accuracyEpoch: trainAccuracy.indexOf(accuracy) + 1,
    },
    history: { trainLoss: [...trainLoss], trainAccuracy: [...trainAccuracy] },
  };
}

async function save(
  folder: string,
  { config, tokenizer }: TrainEpochsOptions,
  trainer: EpochTrainer,
  history: EpochHistory,
): Promise<string> {
  const { params, optimizer, rng } = await trainer.toHost();
  await saveCheckpoint(folder, {
    model: { name: 'rsm', config: config as unknown as JsonObject },
    params,
    ...(tokenizer ? { tokenizer } : {}),
    training: { progress: { kind: 'rsm-epochs', ...history, rng }, optimizer },
  });
  return folder;
}

function resumeFrom({ folder, params, training }: LoadedCheckpoint) {
  const parsed = progressSchema.safeParse(training?.progress);
  if (!parsed.success || !training) {
    throw new InputError(
      `The checkpoint '${folder}' was not saved by a training in epochs, so none can go on.`,
    );
  }
  const { trainLoss, trainAccuracy, rng } = parsed.data;
  const trainer: Partial<EpochTrainerOptions> = {
    params: params as RsmParams<NDArray>,
    optimizerState: training.optimizer,
    rng: rng as RngState,
  };
  return { trainLoss, trainAccuracy, trainer };
}
