import { type Engine, type NDArray, Rng, treeLeaves } from '@palimpsest/tensor-core';
import type { ChunkBatch } from '../data/chunk-example.js';
import { initParameters, type RsmParams } from '../parameters.js';
import { fromReferenceTensors, referenceKey } from '../reference-keys.js';
import { type ChunkReport, trainRsmEpoch } from '../training/epoch-trainer.js';
import { chunksOf } from './chunks.js';
import { GoldenCase } from './golden-case.js';
import type { ParityHandler, ParityOutput } from './types.js';

interface TrainingSettings {
  readonly optimizer: 'adamw' | 'sgd';
  readonly learningRate: number;
  readonly syncCadence?: number;
  readonly maxGradNorm?: number;
  readonly resetMemoryEvery?: number | null;
  readonly globalSync?: boolean;
  readonly globalSyncDropout?: number;
  readonly beta1?: number;
  readonly beta2?: number;
  readonly epsilon?: number;
  readonly weightDecay?: number;
}

/** How far noise in a gradient moves a weight by plain descent. */
const NOISE = 1e-6;

/** Cases 08 and 09: an epoch of the reference's loop; memories, losses, norms and the weights after it. */
export const trainHandler: ParityHandler = {
  system: 'rsm',
  kind: 'train',
  run: async (testCase, { engine }) => {
    const golden = new GoldenCase(testCase);
    const config = (testCase.json.config ?? {}) as { training?: TrainingSettings };
    const settings: TrainingSettings = config.training ?? { optimizer: 'adamw', learningRate: 3e-4 };
    const { optimizer: name, learningRate, globalSync = false, ...rest } = settings;
    const resolved = golden.config('parity', { ...rest, useGlobalSync: globalSync });
    const reports: ChunkReport[] = [];
    const result = await trainRsmEpoch(
      {
        engine: engine as Engine,
        config: resolved,
        params: fromReferenceTensors(golden.weights(), initParameters(resolved, Rng.fromSeed(0)), keyInCase),
        learningRate,
        optimizer: { ...rest, name },
        memories: true,
        onChunk: (report) => reports.push(report),
      },
      batchesIn(golden),
    );
    return [
      ...reports.flatMap((report) => chunkOutputs(golden, report)),
      compareNumbers(
        golden,
        'out/gradNorm',
        reports.map(({ gradientNorm }) => gradientNorm),
        'loss',
      ),
      compareNumbers(golden, 'out/metrics', [result.loss, result.accuracy, result.numChunks], 'loss'),
      ...weightOutputs(golden, result.params, name === 'adamw' ? learningRate * reports.length : NOISE),
    ];
  },
};

/** A case keeps the weights of the sync beside those of the model. */
function keyInCase(path: string): string {
  return path.startsWith('sync.') ? `sync.${referenceKey(path)}` : referenceKey(path);
}

function batchesIn(golden: GoldenCase): ChunkBatch[] {
  const labels = chunksOf(golden, 'in/y');
  return chunksOf(golden, 'in/x').map((x, index) => ({ x, y: labels[index] }) as ChunkBatch);
}

function chunkOutputs(golden: GoldenCase, report: ChunkReport): ParityOutput[] {
  const { index, memoryIn, memoryOut, loss } = report;
  return [
    golden.compare(`state/memoryIn_${index}`, memoryIn!),
    golden.compare(`state/memoryOut_${index}`, memoryOut!),
    compareNumbers(golden, `out/loss_${index}`, [loss], 'loss'),
  ];
}

/**
 * The weights after the epoch; those that the reference leaves alone must be the same bits. The bias of the salience keys has
 * no effect, so its gradient is rounding noise, which AdamW takes for a direction: it may go as far as all steps together.
 */
function weightOutputs(golden: GoldenCase, params: RsmParams<NDArray>, reach: number): ParityOutput[] {
  return treeLeaves<NDArray>(params).map(({ path, leaf }) => {
    const key = keyInCase(path);
    const isChanged = golden.has(`out/${key}`);
    const name = isChanged ? `out/${key}` : `weights/${key}`;
    if (key.endsWith('salience_key.bias')) {
      return {
        name,
        actual: leaf.data,
        expected: golden.tensor(name).data as Float32Array,
        atol: reach,
        rtol: 0,
      };
    }
    if (isChanged) return compareNumbers(golden, name, leaf.data, 'weights');
    const before = golden.tensor(name).data as Float32Array;
    return {
      name: `${name} (unchanged)`,
      actual: leaf.data,
      expected: before,
      atol: 0,
      rtol: 0,
      exact: true,
    };
  });
}

function compareNumbers(
  golden: GoldenCase,
  name: string,
  actual: ArrayLike<number>,
  group: 'loss' | 'weights',
): ParityOutput {
  const tolerances = golden.member<Record<string, { atol?: number; rtol?: number }>>('tolerances', {});
  const { atol = 0, rtol = 0 } = tolerances[group] ?? tolerances.out ?? {};
  return { name, actual, expected: golden.tensor(name).data as Float32Array, atol, rtol };
}
