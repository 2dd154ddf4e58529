import { createDecoder, StepDecoder } from '@palimpsest/lm';
import { createEngine } from '@palimpsest/tensor-core';
import { describe, expect, it } from 'vitest';
import { type OsamOptions, spreadDecays } from '../src/index.js';
import { type HostState, randomModel, randomTokens, stateDifference } from './support/models.js';

const small = { vocabSize: 9, dModel: 8, sketchDim: 20, readoutHidden: 6, chunk: 5 };
const heads = { heads: 2, valueKernel: 'exact', headDecays: spreadDecays(2) } as const;
const cases: Record<string, Partial<OsamOptions>> = {
  'the published block': { mode: 'parity' },
  'the improved block': {},
  'a stack for text': {
    ...{
      ...heads,
      layers: 2,
      featurePath: false,
      norm: 'pre',
      mlpRatio: 2.7,
      convWidth: 4,
      readScale: 'effective',
    },
  },
  'an MLP behind the norm, tied, fading': {
    ...{ layers: 2, mlpRatio: 1.5, mlpKind: 'gelu', tieEmbeddings: true, decay: 0.9, convWidth: 1 },
  },
  'gates before the values': { ...heads, layers: 2, writeGate: true },
  'one speed and no mixture, features by their RMS': { omegaMode: 'scalar', keyMix: false, layers: 2 },
  'no rotation, one table': { omegaMode: 'none', featureHash: 'shared', valueKernel: 'sketched' },
  'features alone': { enableValuePath: false },
  'every third position, held': { kUpdate: 3, layers: 2 },
  'every third position, else nothing': { kUpdate: 3, mode: 'parity' },
  'a value memory that nobody reads': { enableValuePath: false, keepValueState: true, mode: 'parity' },
};

describe('decoding on the processor', async () => {
  const engine = await createEngine('onnx');
  const text = randomTokens(1, 170, 9).data;

  it.each(Object.entries(cases))('equals the step: %s', async (_name, options) => {
    const { model, params } = randomModel({ ...small, ...options });
    const host = await createDecoder(engine, model, params);
    const step = await StepDecoder.create(engine, model, params);
    expect(model.decoder).toBeDefined();
    expect(host.stateBytes).toBe(step.stateBytes);
    const gap = (a: Float32Array, b: Float32Array) =>
      Math.max(...a.map((value, i) => Math.abs(value - b[i]!)));
    for (const id of text.subarray(0, 20)) {
      expect(gap(await host.read([id]), await step.read([id]))).toBeLessThan(5e-5);
    }
    const fork = await host.fork();
    const [read, expected] = [await host.read(text.subarray(20)), await step.read(text.subarray(20))];
    expect(gap(read, expected)).toBeLessThan(1e-4);
    const [a, b] = [await host.state(), await step.state()] as [HostState, HostState];
    expect(stateDifference(a, b)).toBeLessThan(1e-4);
    for (const id of text.subarray(20, -1)) await fork.read([id]);
    expect(gap(await fork.read(text.subarray(-1)), expected)).toBeLessThan(1e-4);
    for (const decoder of [host, step, fork]) await decoder.dispose();
  });

  it('what the kernels do not have is left to the graph', () => {
    for (const options of [{ freqCache: true }, { dModel: 6 }]) {
      expect(randomModel({ ...small, ...options }).model.decoder).toBeUndefined();
    }
  });
});
