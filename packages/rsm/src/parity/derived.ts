import { type Engine, tf } from '@palimpsest/tensor-core';
import { forwardChunks } from '../chunk-loop.js';
import type { RsmConfig } from '../config.js';
import { initialMemory } from '../memory.js';
import { forwardChunk } from '../model.js';
import { type ChunksResult, forwardParallel, isParallel } from '../parallel.js';
import type { RsmParams } from '../parameters.js';
import { forwardWavefront, isWavefront } from '../wavefront.js';
import { chunkStream, type StreamForward, streamGradients } from './chunks.js';
import { GoldenCase } from './golden-case.js';
import type { ParityHandler, ParityOutput } from './types.js';

/** Every way to run a stream of chunks that a wiring has. */
function formsOf(config: RsmConfig): Readonly<Record<string, StreamForward<RsmParams>>> {
  return {
    plain: chunkStream(config, 'plain'),
    fast: chunkStream(config, 'fast'),
    loop: wholeStream(config, forwardChunks),
    ...(isWavefront(config) && { wavefront: wholeStream(config, forwardWavefront) }),
    ...(isParallel(config) && {
      parallel: wholeStream(config, forwardParallel),
      doubling: wholeStream(config, (...args) => forwardParallel(...args, { scan: 'doubling' })),
    }),
  };
}

type WholeForm = (
  config: RsmConfig,
  params: RsmParams,
  tokens: tf.Tensor2D,
  memory: tf.Tensor,
) => ChunksResult;

/** All full chunks in one call, a shorter last one by itself. */
const wholeStream =
  (config: RsmConfig, form: WholeForm): StreamForward<RsmParams> =>
  (params, chunks) => {
    const full = chunks.filter(({ shape }) => shape[1] === config.chunkSize);
    const first = initialMemory(config, params, chunks[0]!.shape[0]!);
    const run = (count: number) =>
      form(config, params, tf.concat(full.slice(0, count), 1) as tf.Tensor2D, first);
    const whole = run(full.length);
    const runs = tf.split(whole.logits, full.length, 1).map((logits, index) => ({
      logits,
      memory: run(index + 1).memory,
    }));
    const rest = chunks[full.length];
    return rest ? [...runs, forwardChunk(config, params, rest as tf.Tensor2D, whole.memory)] : runs;
  };

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
