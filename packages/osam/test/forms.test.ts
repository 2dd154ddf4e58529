import { createEngine } from '@palimpsest/tensor-core';
import { describe, expect, it } from 'vitest';
import { featureForms, type OsamOptions } from '../src/index.js';
import {
  maxDifference,
  randomModel,
  randomTokens,
  runGradients,
  runPieces,
  stateDifference,
} from './support/models.js';

const small = { vocabSize: 7, readoutHidden: 6, chunk: 5 };

/** Shapes at the edges, and options that interact with the forms. */
const cases: Record<string, { options: OsamOptions; batch: number; time: number }> = {
  'one token': { options: { ...small, dModel: 6, sketchDim: 16, mode: 'parity' }, batch: 2, time: 1 },
  'm below d': { options: { ...small, dModel: 12, sketchDim: 5, mode: 'parity' }, batch: 2, time: 9 },
  'm = 1': { options: { ...small, dModel: 4, sketchDim: 1, mode: 'parity' }, batch: 1, time: 7 },
  'd = 1': { options: { ...small, dModel: 1, sketchDim: 8, mode: 'parity' }, batch: 1, time: 6 },
  'odd m, long run': { options: { ...small, dModel: 8, sketchDim: 21, mode: 'parity' }, batch: 1, time: 43 },
  'full gradients': {
    options: { ...small, dModel: 8, sketchDim: 32, mode: 'parity', gradientFlow: 'full' },
    batch: 2,
    time: 23,
  },
  'full gradients, skipping': {
    options: { ...small, dModel: 6, sketchDim: 16, mode: 'parity', gradientFlow: 'full', kUpdate: 3 },
    batch: 2,
    time: 31,
  },
  'full gradients, spectrum carried': {
    options: { ...small, dModel: 6, sketchDim: 16, mode: 'parity', gradientFlow: 'full', freqCache: true },
    batch: 2,
    time: 9,
  },
  'static features, everything else improved': {
    options: { ...small, dModel: 8, sketchDim: 19, featureScale: 'reference' },
    batch: 2,
    time: 12,
  },
  improved: { options: { ...small, dModel: 8, sketchDim: 24 }, batch: 2, time: 27 },
  'improved, forgetting': { options: { ...small, dModel: 8, sketchDim: 24, decay: 0.9 }, batch: 2, time: 27 },
  'improved, holding': { options: { ...small, dModel: 8, sketchDim: 24, kUpdate: 4 }, batch: 3, time: 26 },
  'improved, heads that forget at different speeds': {
    options: {
      ...small,
      dModel: 8,
      sketchDim: 24,
      heads: 2,
      headDecays: [1, 0.8],
      readScale: 'effective',
      kUpdate: 2,
    },
    batch: 2,
    time: 29,
  },
  'gates before the values': {
    options: { ...small, dModel: 8, sketchDim: 24, heads: 2, headDecays: [1, 0.8], writeGate: true },
    batch: 2,
    time: 29,
  },
  'scalar omega with rms features': {
    options: { ...small, dModel: 6, sketchDim: 16, omegaMode: 'scalar', valueKernel: 'sketched' },
    batch: 2,
    time: 11,
  },
  'no rotation': {
    options: { ...small, dModel: 6, sketchDim: 16, omegaMode: 'none' },
    batch: 2,
    time: 11,
  },
  'features only': {
    options: { ...small, dModel: 6, sketchDim: 16, enableValuePath: false },
    batch: 2,
    time: 11,
  },
  'values only': { options: { ...small, dModel: 6, sketchDim: 16, featurePath: false }, batch: 2, time: 24 },
};

describe('every form equals the token-by-token form', async () => {
  const engine = await createEngine('cpu');
  for (const [name, { options, batch, time }] of Object.entries(cases)) {
    it(name, async () => {
      const reference = randomModel({ ...options, form: 'sequential' });
      const tokens = randomTokens(batch, time, options.vocabSize);
      const expected = await runPieces(engine, reference.model, reference.params, tokens, [time]);
      const expectedGradients = await runGradients(engine, reference.model, reference.params, tokens);
      expect(expected.logits.some((logit) => Math.abs(logit) > 0.01)).toBe(true);
      const rms = reference.model.options.featureScale === 'rms' && reference.model.options.featurePath;
      for (const form of featureForms) {
        if (form === 'sequential' || (form === 'bilinear' && rms)) continue;
        const { model, params } = randomModel({ ...options, form });
        const actual = await runPieces(engine, model, params, tokens, [time]);
        expect(maxDifference(actual.logits, expected.logits), `${form} logits`).toBeLessThan(2e-5);
        expect(stateDifference(actual.state, expected.state), `${form} state`).toBeLessThan(2e-5);
        const gradients = await runGradients(engine, model, params, tokens);
        expect([...gradients.gradients.keys()]).toEqual([...expectedGradients.gradients.keys()]);
        for (const [path, values] of gradients.gradients) {
          const target = expectedGradients.gradients.get(path)!;
          const scale = Math.max(1e-2, ...target.map(Math.abs));
          expect(maxDifference(values, target) / scale, `${form} ${path}`).toBeLessThan(2e-4);
        }
      }
    });
  }

  it.each(['shared', 'independent'] as const)(
    'a single token that reads a full memory, %s tables',
    async (featureHash) => {
      const options = { ...small, dModel: 8, sketchDim: 21, featureHash, featureScale: 'reference' } as const;
      const reference = randomModel({ ...options, form: 'sequential' });
      const earlier = randomTokens(1, 9, 7, 3);
      const { state } = await runPieces(engine, reference.model, reference.params, earlier, [9]);
      const token = randomTokens(1, 1, 7, 4);
      const expected = await runPieces(engine, reference.model, reference.params, token, [1], state);
      const slopes = await runGradients(engine, reference.model, reference.params, token, state);
      for (const form of ['pairs', 'bilinear', 'dft', 'fft'] as const) {
        const { model, params } = randomModel({ ...options, form });
        const actual = await runPieces(engine, model, params, token, [1], state);
        expect(maxDifference(actual.logits, expected.logits), form).toBeLessThan(2e-5);
        const { gradients } = await runGradients(engine, model, params, token, state);
        for (const [path, values] of gradients) {
          const target = slopes.gradients.get(path)!;
          const scale = Math.max(1e-2, ...target.map(Math.abs));
          expect(maxDifference(values, target) / scale, `${form} ${path}`).toBeLessThan(2e-4);
        }
      }
    },
  );
});
