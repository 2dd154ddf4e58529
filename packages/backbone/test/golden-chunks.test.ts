import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { decodeSafetensors, toNDArray } from '@palimpsest/tensor-core';
import { describe, expect, it } from 'vitest';
import { loadPretrained } from '../src/index.js';
import {
  engines,
  forwardLogits,
  maxDifference,
  piecewiseLogits,
  steppedLogits,
  withEngine,
} from './helpers.js';

/**
 * The plain backend adds in one order whatever the shapes. ONNX Runtime picks kernels by shape, which moves logits of up
 * to 6.5 by some eight units in the last place.
 */
const tolerance = { cpu: 3e-6, onnx: 5e-6 };
const folder = fileURLToPath(new URL('./golden', import.meta.url));

describe.each(engines)('on %s', (name) => {
  it.each(['gpt2', 'qwen2', 'llama3'])(
    '%s gives the same logits whole, in chunks and in steps',
    async (family) => {
      const { model, params } = await loadPretrained(`${folder}/hf/tiny-${family}`, { capacity: 40 });
      const tensors = decodeSafetensors(readFileSync(`${folder}/backbone-${family}.safetensors`)).tensors;
      const tokens = toNDArray(tensors.get('in/ids')!);
      const time = tokens.shape[1]!;
      await withEngine(name, async (engine) => {
        const whole = await forwardLogits(engine, model, params, tokens);
        const chunked = await piecewiseLogits(engine, model, params, tokens, [4, 1, time - 5]);
        expect(maxDifference(chunked.logits, whole)).toBeLessThan(tolerance[name]);
        expect(
          maxDifference((await steppedLogits(engine, model, params, tokens)).logits, whole),
        ).toBeLessThan(tolerance[name]);
      });
    },
  );
});
