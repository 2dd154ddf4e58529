import { type Engine, Rng, type tf } from '@palimpsest/tensor-core';
import { forwardLegacyChunk } from '../legacy/chunk.js';
import { initLegacy, type LegacyParams, legacyReferenceKey } from '../legacy/parameters.js';
import { fromReferenceTensors } from '../reference-keys.js';
import { streamGradients } from './chunks.js';
import { GoldenCase } from './golden-case.js';
import type { ParityHandler } from './types.js';

/** Case 14: the first-generation model over several chunks. */
export const legacyHandler: ParityHandler = {
  system: 'rsm',
  kind: 'legacy',
  run: async (testCase, { engine }) => {
    const golden = new GoldenCase(testCase);
    const config = golden.config('legacy');
    const fresh = initLegacy(config, Rng.fromSeed(0));
    const result = await streamGradients(
      golden,
      engine as Engine,
      fromReferenceTensors(golden.weights(), fresh, legacyReferenceKey) as unknown as LegacyParams,
      (params, chunks) => {
        let memory: tf.Tensor | undefined;
        return chunks.map((tokens) => {
          const run = forwardLegacyChunk(params, tokens as tf.Tensor2D, memory);
          memory = run.memory;
          return run;
        });
      },
      legacyReferenceKey,
    );
    return [
      golden.compare('out/loss', result.loss),
      ...result.runs.flatMap(({ logits, memory }, index) => [
        golden.compare(`out/logits_${index}`, logits),
        golden.compare(`state/memory_${index}`, memory),
      ]),
      ...golden.compareGradients(result.gradients),
    ];
  },
};
