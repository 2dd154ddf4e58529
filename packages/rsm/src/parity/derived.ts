import type { Engine } from '@palimpsest/tensor-core';
import type { RsmConfig } from '../config.js';
import type { RsmParams } from '../parameters.js';
import { chunkStream, type StreamForward, streamGradients } from './chunks.js';
import { GoldenCase } from './golden-case.js';
import type { ParityHandler, ParityOutput } from './types.js';

/** Every way to run a stream of chunks that a wiring has. */
function formsOf(config: RsmConfig): Readonly<Record<string, StreamForward<RsmParams>>> {
  return {
    plain: chunkStream(config, 'plain'),
    fast: chunkStream(config, 'fast'),
  };
}

/** Case 15: our own wirings, in every form they have. */
export const derivedHandler: ParityHandler = {
  system: 'rsm',
  kind: 'derived-causal',
  run: async (testCase, { engine }) => {
    const golden = new GoldenCase(testCase);
    const { modes = {} } = golden.member<{ modes?: Record<string, Record<string, unknown>> }>('config', {});
    const outputs: ParityOutput[] = [];
    for (const [mode, fields] of Object.entries(modes)) {
      const config = golden.config('parallel', fields);
      const params = golden.params(config, `${mode}.`) as unknown as RsmParams;
      for (const [form, forward] of Object.entries(formsOf(config))) {
        const label = `${form}/`;
        const result = await streamGradients(golden, engine as Engine, params, forward);
        outputs.push(
          golden.compare(`out/${mode}_loss`, result.loss, `${label}out/${mode}_loss`),
          ...result.runs.flatMap(({ logits, memory }, index) =>
            Object.entries({
              [`out/${mode}_logits_${index}`]: logits,
              [`state/${mode}_memory_${index}`]: memory,
            }).map(([name, actual]) => golden.compare(name, actual, label + name)),
          ),
          ...golden.compareGradients(result.gradients, `${mode}.`, label),
        );
      }
    }
    return outputs;
  },
};
