import type { GoldenHandler } from '@palimpsest/base/golden';
import { type Engine, Rng, type tf } from '@palimpsest/tensor-core';
import { forwardLegacyChunk } from '../legacy/chunk.js';
import { initLegacy, type LegacyParams, legacyReferenceKey } from '../legacy/parameters.js';
import { fromReferenceTensors } from '../reference-keys.js';
import { streamGradients } from './chunks.js';
import { configOf, gradientOutputs } from './read-case.js';

/** Case 14: the first-generation model over several chunks. */
export const legacyHandler: GoldenHandler = {
  system: 'rsm',
  kind: 'legacy',
  run: async (testCase, { engine }) => {
    const fresh = initLegacy(configOf(testCase, 'legacy'), Rng.fromSeed(0));
    const params = fromReferenceTensors(testCase.weights(), fresh, legacyReferenceKey);
    const { loss, runs, gradients } = await streamGradients(
      testCase,
      engine as Engine,
      params as unknown as LegacyParams,
      (weights, chunks) => {
        let memory: tf.Tensor | undefined;
        return chunks.map((tokens) => {
          const run = forwardLegacyChunk(weights, tokens as tf.Tensor2D, memory);
          memory = run.memory;
          return run;
        });
      },
    );
    const chunks = runs.flatMap(({ logits, memory }, index) => [
      [`out/logits_${index}`, logits.data] as const,
      [`state/memory_${index}`, memory.data] as const,
    ]);
    return {
      'out/loss': loss.data,
      ...Object.fromEntries(chunks),
      ...gradientOutputs(testCase, gradients, '', legacyReferenceKey),
    };
  },
};
