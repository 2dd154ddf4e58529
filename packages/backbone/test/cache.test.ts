import { describe, expect, it } from 'vitest';
import {
  engines,
  forwardLogits,
  livelyModel,
  maxDifference,
  piecewiseLogits,
  randomTokens,
  steppedLogits,
  withEngine,
} from './helpers.js';

const variants = {
  'learned positions': { positions: 'learned', queryKeyValueBias: true, outputBias: true, mlpBias: true },
  'sinusoidal positions': { positions: 'sinusoidal', activation: 'geluTanh' },
  'rotary positions': { positions: 'rotary', norm: 'rms', activation: 'swiglu', tiedHead: false },
  'two key/value heads': { keyValueHeads: 2 },
  'one key/value head': { keyValueHeads: 1, evictable: true },
  'wide heads': { headWidth: 6, keyValueHeads: 2 },
  'stretched frequencies': { rotaryScaling: { kind: 'ntk', factor: 4, alpha: 2 } },
  'a window': { window: 5 },
  'a window of one': { window: 1 },
  'a window and sinks': { window: 4, sinks: 2, keyValueHeads: 2 },
  'a window and sinks, evictable': { window: 3, sinks: 1, evictable: true },
  'a text beyond the capacity': { capacity: 7 },
} as const;

describe.each(engines)('on %s', (name) => {
  it.each(Object.entries(variants))(
    'pieces and single steps equal one forward pass: %s',
    async (_what, options) => {
      await withEngine(name, async (engine) => {
        const { model, params } = livelyModel(options);
        const tokens = randomTokens(2, 11);
        const whole = await forwardLogits(engine, model, params, tokens);
        expect(Math.max(...whole.map(Math.abs))).toBeGreaterThan(1);
        // Single steps leave the slots of a full window out of order; later pieces must not mind.
        for (const sizes of [
          [3, 1, 6, 1],
          [7, 1, 1, 2],
        ]) {
          const pieces = await piecewiseLogits(engine, model, params, tokens, sizes);
          expect(maxDifference(pieces.logits, whole)).toBeLessThan(3e-5);
        }
        const steps = await steppedLogits(engine, model, params, tokens);
        expect(maxDifference(steps.logits, whole)).toBeLessThan(3e-5);
        expect(steps.signatures).toBe(1);
      });
    },
  );
});
