import type { NDArray } from '@palimpsest/base';
import type { GoldenCase, GoldenHandler, GoldenOutputs } from '@palimpsest/base/golden';
import { type Engine, ndarray, runOnce, takeToHost, tf } from '@palimpsest/tensor-core';
import { isCausal, type RsmConfig } from '../config.js';
import { forwardChunk } from '../forms/chunk.js';
import { forwardParallel, isParallel } from '../forms/parallel.js';
import { step } from '../forms/step.js';
import { initialMemory } from '../memory/slots.js';
import type { RsmParams } from '../parameters.js';
import { initialState, type RsmState } from '../state.js';
import { chunkStream, type StreamForward, streamGradients } from './chunks.js';
import { chunksOf, configOf, gradientOutputs, inForm, paramsOf } from './read-case.js';

/** Every way to run a stream of chunks that a wiring has; whole texts need an even cut. */
function formsOf(config: RsmConfig, even: boolean): Readonly<Record<string, StreamForward<RsmParams>>> {
  return {
    plain: chunkStream(config, 'plain'),
    fast: chunkStream(config, 'fast'),
    ...(even && isParallel(config) && { parallel: parallelStream(config) }),
  };
}

/** All full chunks in one call, a shorter last one by itself. */
const parallelStream =
  (config: RsmConfig): StreamForward<RsmParams> =>
  (params, chunks) => {
    const full = chunks.filter(({ shape }) => shape[1] === config.chunkSize);
    const first = initialMemory(config, params, chunks[0]!.shape[0]!);
    const run = (count: number) =>
      forwardParallel(config, params, tf.concat(full.slice(0, count), 1) as tf.Tensor2D, first);
    const whole = run(full.length);
    const runs = tf.split(whole.logits, full.length, 1).map((logits, index) => ({
      logits,
      memory: run(index + 1).memory,
    }));
    const rest = chunks[full.length];
    return rest ? [...runs, forwardChunk(config, params, rest as tf.Tensor2D, whole.memory)] : runs;
  };

/** Chunk lengths of a text that is cut evenly, with a last chunk that may be shorter. */
function isEven(lengths: readonly number[]): boolean {
  const first = lengths[0]!;
  return lengths.every(
    (length, index) => length === first || (index === lengths.length - 1 && length < first),
  );
}

/** Logits of the text token by token, and the memories of the chunks that it fills. */
async function steppedOutputs(
  testCase: GoldenCase,
  engine: Engine,
  config: RsmConfig,
  params: RsmParams<NDArray>,
  mode: string,
): Promise<GoldenOutputs> {
  const advance = engine.compile((weights: RsmParams, token: tf.Tensor1D, state: RsmState) => {
    const { logits, state: next } = step(config, weights, token, state);
    return { logits: logits as tf.Tensor, state: next };
  });
  const outputs: Record<string, ArrayLike<number>> = {};
  const chunks = chunksOf(testCase, 'in/x');
  const batch = chunks[0]!.shape[0]!;
  let state = await runOnce(engine, (weights: RsmParams) => initialState(config, weights, batch), params);
  for (const [index, { data, shape }] of chunks.entries()) {
    const time = shape[1]!;
    const logits = new Float32Array(batch * time * config.vocabSize);
    for (let place = 0; place < time; place++) {
      const tokens = Int32Array.from({ length: batch }, (_, row) => data[row * time + place]!);
      const result = await takeToHost(await advance(params, ndarray(tokens, [batch], 'int32'), state));
      ({ state } = result);
      for (let row = 0; row < batch; row++) {
        const from = row * config.vocabSize;
        const values = (result.logits.data as Float32Array).subarray(from, from + config.vocabSize);
        logits.set(values, (row * time + place) * config.vocabSize);
      }
    }
    outputs[`out/${mode}_logits_${index}`] = logits;
    if (time === config.chunkSize) outputs[`state/${mode}_memory_${index}`] = state.memory.data;
  }
  await advance.dispose();
  return inForm('steps', outputs);
}

/** Case 15: our own wirings, in every form they have. */
export const derivedHandler: GoldenHandler = {
  system: 'rsm',
  kind: 'derived-causal',
  run: async (testCase, context) => {
    const engine = context.engine as Engine;
    const { modes = {} } = testCase.config as { modes?: Record<string, Record<string, unknown>> };
    const lengths = chunksOf(testCase, 'in/x').map(({ shape }) => shape[1]!);
    const outputs: GoldenOutputs[] = [];
    for (const [mode, fields] of Object.entries(modes)) {
      const config = configOf(testCase, 'parallel', { chunkSize: lengths[0], ...fields });
      const params = paramsOf(testCase, config, `${mode}.`);
      for (const [form, forward] of Object.entries(formsOf(config, isEven(lengths)))) {
        const { loss, runs, gradients } = await streamGradients(
          testCase,
          engine,
          params as unknown as RsmParams,
          forward,
        );
        const chunks = runs.flatMap(({ logits, memory }, index) => [
          [`out/${mode}_logits_${index}`, logits.data] as const,
          [`state/${mode}_memory_${index}`, memory.data] as const,
        ]);
        const values = { [`out/${mode}_loss`]: loss.data, ...Object.fromEntries(chunks) };
        outputs.push(inForm(form, { ...values, ...gradientOutputs(testCase, gradients, `${mode}.`) }));
      }
      if (isEven(lengths) && isCausal(config)) {
        outputs.push(await steppedOutputs(testCase, engine, config, params, mode));
      }
    }
    return Object.assign({}, ...outputs);
  },
};
