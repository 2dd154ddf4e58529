import type { TaskOutcome } from '@palimpsest/lm';
import { type CellResult, cellKey, cellResultSchema } from '../../src/index.js';

const versions = { '@palimpsest/harness': '0.0.0' };

/** A made-up result, marked as such by its machine, whose key is that of its specification. */
export function syntheticResult(
  spec: Partial<CellResult['spec']> & { task: string },
  outcome: Partial<TaskOutcome> | string,
): CellResult {
  const whole = { taskOptions: {}, modelOptions: {}, seed: 1, engine: 'onnx', ...spec };
  const failed = typeof outcome === 'string';
  return cellResultSchema.parse({
    format: 'palimpsest-cell',
    version: 1,
    key: cellKey(whole, versions),
    spec: whole,
    status: failed ? 'failed' : 'done',
    ...(failed ? { error: outcome } : { outcome: { metrics: [], ...outcome } }),
    provenance: {
      versions,
      node: '20.19.0',
      platform: 'synthetic',
      cpu: 'made up for a test',
      cores: 2,
      memoryBytes: 8e9,
      engine: { name: 'onnx', runtime: 'none', device: 'cpu', threads: 2 },
    },
    date: '2026-11-25T10:00:00.000Z',
    seconds: 2,
    cpuSeconds: 3,
    peakMemoryBytes: 1e8,
  });
}

const accuracy = (value: number) => ({
  name: 'accuracy',
  value,
  unit: '%',
  slice: {},
  higherIsBetter: true,
  standardError: 1,
  samples: 64,
});

/** Recall at two widths and two rates, a depth map, text with a floor, costs, parity, and a failure. */
export function syntheticResults(): CellResult[] {
  const recall = ['osam', 'transformer-window'].flatMap((model, at) =>
    [16, 32].flatMap((width) =>
      [1e-3, 1e-2].flatMap((learningRate) =>
        [1, 2].map((seed) =>
          syntheticResult(
            { task: 'mqar', model, modelOptions: { width }, learningRate, seed },
            {
              metrics: [accuracy(40 + width + 10 * at + 1000 * learningRate + seed)],
              stateBytes: 100 * width,
              parameters: 1000,
              curves: [
                {
                  name: 'training loss',
                  xTitle: 'step',
                  yTitle: 'nats',
                  points: [
                    [1, 3],
                    [2, 2],
                  ],
                },
              ],
            },
          ),
        ),
      ),
    ),
  );
  const depths = [0, 1].flatMap((depth) =>
    [96, 192].map((length) => ({
      ...accuracy(10 + depth),
      name: 'accuracy by slice',
      slice: { length, depth },
    })),
  );
  const bits = (value: number) => ({ name: 'bits per character', value, unit: 'bits', slice: {} });
  const cost = (factor: number) =>
    [128, 1024].flatMap((context) => [
      { name: 'time per token', value: 1 + (factor * context) / 128, unit: 'ms', slice: { context } },
      { name: 'memory', value: 10 * context, unit: 'bytes', slice: { context } },
    ]);
  return [
    ...recall,
    syntheticResult({ task: 'passkey', model: 'osam' }, { metrics: [accuracy(12), ...depths] }),
    syntheticResult({ task: 'language', model: 'osam' }, { metrics: [bits(2.5)] }),
    syntheticResult(
      { task: 'language', model: 'ngram', modelOptions: { order: 3 } },
      { metrics: [bits(2.7)] },
    ),
    syntheticResult(
      {
        task: 'decoding-cost',
        model: 'transformer',
        modelOptions: { width: 16, layers: 1, heads: 2, headWidth: 8 },
      },
      { metrics: cost(1) },
    ),
    syntheticResult(
      { task: 'decoding-cost', model: 'osam' },
      { metrics: cost(0).map((m) => ({ ...m, value: m.name === 'memory' ? 500 : 3 })) },
    ),
    syntheticResult(
      { task: 'parity', taskOptions: { system: 'osam' } },
      {
        passed: true,
        metrics: [
          { name: 'cases reproduced', value: 100, unit: '%', slice: {}, samples: 3 },
          { name: 'share of the tolerance used', value: 12, unit: '%', slice: { case: 'a' } },
        ],
      },
    ),
    syntheticResult({ task: 'copying', model: 'rsm' }, 'the process was killed <by> a signal'),
  ];
}
