import { type Engine, type NDArray, ndarray, tf } from '@palimpsest/tensor-core';
import { isCausal, type RsmConfig } from '../config.js';
import { forwardChunk } from '../forms/chunk.js';
import { type ChunksResult, forwardParallel, isParallel } from '../forms/parallel.js';
import { step } from '../forms/step.js';
import { copyToHost, disposeTree } from '../host.js';
import { initialMemory } from '../memory/slots.js';
import type { RsmParams } from '../parameters.js';
import { initialState, type RsmState } from '../state.js';
import { chunkStream, chunksOf, type StreamForward, streamGradients } from './chunks.js';
import { GoldenCase } from './golden-case.js';
import { runOnce } from './run.js';
import type { ParityHandler, ParityOutput } from './types.js';

/** Every way to run a stream of chunks that a wiring has; whole texts need an even cut. */
function formsOf(config: RsmConfig, even: boolean): Readonly<Record<string, StreamForward<RsmParams>>> {
  const chunkForms = { plain: chunkStream(config, 'plain'), fast: chunkStream(config, 'fast') };
  if (!even) return chunkForms;
  return {
    ...chunkForms,
    ...(isParallel(config) && { parallel: wholeStream(config, forwardParallel) }),
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

/** Chunk lengths of a text that is cut evenly, with a last chunk that may be shorter. */
function isEven(lengths: readonly number[]): boolean {
  const first = lengths[0]!;
  return lengths.every(
    (length, index) => length === first || (index === lengths.length - 1 && length < first),
  );
}

/** Logits of the text token by token, and the memories of the chunks that it fills, by their names in the case. */
async function steppedOutputs(
  golden: GoldenCase,
  engine: Engine,
  config: RsmConfig,
  params: RsmParams,
  mode: string,
): Promise<ParityOutput[]> {
  const advance = engine.compile((weights: RsmParams, token: tf.Tensor1D, state: RsmState) => {
    const { logits, state: next } = step(config, weights, token, state);
    return { logits: logits as tf.Tensor, state: next };
  });
  const outputs: ParityOutput[] = [];
  const chunks = chunksOf(golden, 'in/x');
  const batch = chunks[0]!.shape[0]!;
  let state: unknown = await runOnce(
    engine,
    (weights: RsmParams) => initialState(config, weights, batch),
    params as never,
  );
  for (const [index, { data, shape }] of chunks.entries()) {
    const time = shape[1]!;
    const logits = new Float32Array(batch * time * config.vocabSize);
    for (let place = 0; place < time; place++) {
      const token = ndarray(
        Int32Array.from({ length: batch }, (_, row) => data[row * time + place]!),
        [batch],
        'int32',
      );
      const held = await advance(params as never, token as never, state as never);
      const result = (await copyToHost(held)) as { logits: NDArray; state: { memory: NDArray } };
      disposeTree(held);
      ({ state } = result);
      for (let row = 0; row < batch; row++) {
        const from = row * config.vocabSize;
        const values = (result.logits.data as Float32Array).subarray(from, from + config.vocabSize);
        logits.set(values, (row * time + place) * config.vocabSize);
      }
    }
    const compare = (name: string, actual: NDArray) => golden.compare(name, actual, `steps/${name}`);
    outputs.push(compare(`out/${mode}_logits_${index}`, ndarray(logits, [batch, time, config.vocabSize])));
    if (time < config.chunkSize) continue;
    outputs.push(compare(`state/${mode}_memory_${index}`, (state as { memory: NDArray }).memory));
  }
  await advance.dispose();
  return outputs;
}

/** Case 15: our own wirings, in every form they have. */
export const derivedHandler: ParityHandler = {
  system: 'rsm',
  kind: 'derived-causal',
  run: async (testCase, { engine }) => {
    const golden = new GoldenCase(testCase);
    const { modes = {} } = golden.member<{ modes?: Record<string, Record<string, unknown>> }>('config', {});
    const lengths = chunksOf(golden, 'in/x').map(({ shape }) => shape[1]!);
    const outputs: ParityOutput[] = [];
    for (const [mode, fields] of Object.entries(modes)) {
      const config = golden.config('parallel', { chunkSize: lengths[0], ...fields });
      const params = golden.params(config, `${mode}.`) as unknown as RsmParams;
      for (const [form, forward] of Object.entries(formsOf(config, isEven(lengths)))) {
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
      if (isEven(lengths) && isCausal(config)) {
        outputs.push(...(await steppedOutputs(golden, engine as Engine, config, params, mode)));
      }
    }
    return outputs;
  },
};
