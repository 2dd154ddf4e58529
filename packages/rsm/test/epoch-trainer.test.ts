import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type JsonObject, loadCheckpoint } from '@palimpsest/lm';
import { createEngine, type Engine, Rng } from '@palimpsest/tensor-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  batchesOf,
  ChunkedSequences,
  type ChunkReport,
  createRsmModel,
  type EpochEvent,
  EpochTrainer,
  type EpochTrainerOptions,
  type RsmOptions,
  resolveConfig,
  type TrainEpochsOptions,
  trainEpochs,
} from '../src/index.js';

const options = {
  preset: 'parity',
  vocabSize: 11,
  hiddenSize: 16,
  numLayers: 2,
  numHeads: 2,
  numMemorySlots: 4,
  windowSize: 8,
  dropout: 0,
} as const;

let engine: Engine;
beforeAll(async () => {
  engine = await createEngine('auto');
});
afterAll(() => engine.dispose());

const rng = Rng.fromSeed(3);
const tokens = Int32Array.from({ length: 120 }, (_, index) => (index % 7) + rng.int(2));
const dataset = new ChunkedSequences(tokens, { chunkSize: 8, overlapRatio: 0 });

async function epoch(overrides: object, settings: Partial<EpochTrainerOptions> = {}, batchSize = 4) {
  const trainer = new EpochTrainer({
    engine,
    config: resolveConfig({ ...options, ...overrides }),
    ...settings,
  });
  const reports: ChunkReport[] = [];
  const result = await trainer.run(batchesOf(dataset, { batchSize }), {
    memories: true,
    onChunk: (report) => reports.push(report),
  });
  const arrays = await trainer.toHost();
  await trainer.dispose();
  return { result, reports, ...arrays };
}

describe('the epoch trainer', () => {
  it('averages chunks plainly, and starts the memory anew when the batch size changes', async () => {
    const { result, reports } = await epoch({});
    expect(reports.map(({ tokens: count }) => count)).toEqual([32, 32, 32, 16]);
    const mean = reports.reduce((sum, { loss }) => sum + loss, 0) / 4;
    expect(result.loss).toBeCloseTo(mean, 6);
    expect(result.accuracy).toBeCloseTo(reports.reduce((sum, { correct }) => sum + correct, 0) / 112, 9);
    expect(result.numChunks).toBe(4);
    expect(reports[3]!.memoryIn!.shape[0]).toBe(2);
    expect([...reports[3]!.memoryIn!.data.slice(0, 64)]).toEqual([
      ...reports[0]!.memoryIn!.data.slice(0, 64),
    ]);
  });

  it('resets the memory every so many chunks, 0 meaning never', async () => {
    const firstRow = (report: ChunkReport) => [...report.memoryIn!.data.slice(0, 64)];
    const { reports } = await epoch({ resetMemoryEvery: 2 });
    expect(firstRow(reports[2]!)).toEqual(firstRow(reports[0]!));
    expect(firstRow(reports[1]!)).not.toEqual(firstRow(reports[0]!));
    const never = await epoch({ resetMemoryEvery: 0 });
    expect(firstRow(never.reports[2]!)).not.toEqual(firstRow(never.reports[0]!));
  });

  it('a sync changes what the next chunk reads, every syncCadence chunks but not after the first', async () => {
    const { reports } = await epoch({ useGlobalSync: true, syncCadence: 1, globalSyncDropout: 0 }, {}, 2);
    const isCarried = reports
      .slice(1)
      .map(({ memoryIn }, index) =>
        memoryIn!.data.every((value, at) => value === reports[index]!.memoryOut!.data[at]),
      );
    expect(isCarried).toEqual([true, false, false, false, false, false]);
  });

  it('learns over epochs, and leaves nothing on the engine', async () => {
    const before = engine.memory().arrays;
    const trainer = new EpochTrainer({ engine, config: resolveConfig(options), learningRate: 5e-3 });
    const losses: number[] = [];
    for (let index = 0; index < 12; index++) {
      losses.push((await trainer.run(batchesOf(dataset, { batchSize: 2 }))).loss);
    }
    await trainer.dispose();
    expect(losses.at(-1)!).toBeLessThan(losses[0]! - 0.3);
    expect(engine.memory().arrays).toBe(before);
  });

  it('goes on with the moments of an earlier trainer', async () => {
    const config = resolveConfig(options);
    const whole = new EpochTrainer({ engine, config, learningRate: 1e-2 });
    await whole.run(batchesOf(dataset));
    const { params, optimizer } = await whole.toHost();
    const expected = await whole.run(batchesOf(dataset));
    await whole.dispose();
    const resumed = new EpochTrainer({
      engine,
      config,
      learningRate: 1e-2,
      params,
      optimizerState: optimizer,
    });
    expect(await resumed.run(batchesOf(dataset))).toEqual(expected);
    await resumed.dispose();
  });

  it('refuses an epoch without batches', async () => {
    const trainer = new EpochTrainer({ engine, config: resolveConfig(options) });
    await expect(trainer.run([])).rejects.toThrow('at least one batch');
    await trainer.dispose();
  });
});

describe('training in epochs', () => {
  it('goes on from a checkpoint with the same numbers, dropout and shuffling included', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'palimpsest-rsm-epochs-'));
    const config = resolveConfig({ ...options, dropout: 0.2, useGlobalSync: true, syncCadence: 2 });
    const base = { engine, config, dataset, batchSize: 4, learningRate: 1e-2, seed: 5, folder };
    const run = async (settings: Partial<TrainEpochsOptions>) => {
      const events: EpochEvent[] = [];
      for await (const event of trainEpochs({ ...base, ...settings })) events.push(event);
      return events;
    };
    const whole = await run({ epochs: 4, checkpointEvery: 2 });
    expect(whole.map(({ checkpoint }) => checkpoint)).toEqual([
      undefined,
      `${folder}/epoch-2`,
      undefined,
      `${folder}/epoch-4`,
    ]);
    const models = { rsm: (stored: JsonObject) => createRsmModel(stored as RsmOptions) };
    const half = await loadCheckpoint(`${folder}/epoch-2`, models);
    const resumed = await run({ epochs: 4, checkpointEvery: 4, resume: half, folder: `${folder}/resumed` });
    expect(resumed.map(({ epoch }) => epoch)).toEqual([3, 4]);
    expect(resumed.at(-1)!.history).toEqual(whole.at(-1)!.history);
    const [a, b] = [`${folder}/epoch-4`, `${folder}/resumed/epoch-4`].map((path) =>
      loadCheckpoint(path, models),
    );
    expect((await a!).parametersId).toBe((await b!).parametersId);
    expect((await a!).model.config).toEqual(config);
    const { best, history } = whole.at(-1)!;
    expect(best.loss).toBe(Math.min(...history.trainLoss));
    expect(best.accuracyEpoch).toBe(history.trainAccuracy.indexOf(best.accuracy) + 1);
    rmSync(folder, { recursive: true });
  });
});
