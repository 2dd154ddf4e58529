import type { GoldenCase, GoldenHandler, GoldenOutputs } from '@palimpsest/base/golden';
import {
  crossEntropy,
  type Engine,
  type NDArray,
  runOnce,
  stopGradient,
  tf,
  valueAndGradient,
} from '@palimpsest/tensor-core';
import type { RsmConfig } from '../config.js';
import { givenMasks, type KeepMasks } from '../dropout-source.js';
import type { BlockForm } from '../forms/block-chunk.js';
import { forwardChunk } from '../forms/chunk.js';
import type { RsmParams } from '../parameters.js';
import { chunksOf, configOf, gradientOutputs, inForm, paramsOf } from './read-case.js';

/** What a chunk gives, one after another with the memory carried. */
export interface ChunkRun {
  readonly logits: tf.Tensor;
  readonly memory: tf.Tensor;
}

export type StreamForward<P> = (params: P, chunks: readonly tf.Tensor[]) => readonly ChunkRun[];

/** Mean cross-entropy of a chunk. */
function chunkLoss(logits: tf.Tensor, labels: tf.Tensor): tf.Tensor {
  return crossEntropy(tf.reshape(logits, [-1, logits.shape.at(-1)!]), tf.reshape(labels, [-1]));
}

/** Losses and gradients of the sum of the chunk losses. */
export async function streamGradients<P>(
  testCase: GoldenCase,
  engine: Engine,
  params: P,
  forward: StreamForward<P>,
) {
  const result = await runOnce(
    engine,
    (weights: P, x: tf.Tensor[], y: tf.Tensor[]) => {
      const { value, gradients, aux } = valueAndGradient((current: P) => {
        const runs = forward(current, x).map(({ logits, memory }) => ({ logits, memory }));
        const losses = runs.map(({ logits }, index) => chunkLoss(logits, y[index]!));
        return [losses.reduce((sum, loss) => tf.add(sum, loss)), { losses, runs }] as const;
      }, weights);
      return { loss: value, gradients: gradients as unknown, ...aux };
    },
    params as never,
    chunksOf(testCase, 'in/x'),
    chunksOf(testCase, 'in/y'),
  );
  return result as unknown as {
    loss: NDArray;
    losses: NDArray[];
    runs: { logits: NDArray; memory: NDArray }[];
    gradients: unknown;
  };
}

/** Chunk calls with the memory carried, from a given memory or the learned first one. */
export function chunkStream(config: RsmConfig, form: BlockForm, first?: tf.Tensor): StreamForward<RsmParams> {
  return (params, chunks) => {
    let memory = first;
    return chunks.map((tokens) => {
      const result = forwardChunk(config, params, tokens as tf.Tensor2D, memory, { form });
      memory = result.memory;
      return result;
    });
  };
}

const forms: readonly BlockForm[] = ['plain', 'fast'];

/** Cases 04 and 05: a stream of chunks, the memory after every block and chunk, and how much of it stays. */
const streamHandler: GoldenHandler = {
  system: 'rsm',
  kind: 'stream',
  run: async (testCase, { engine }) => {
    const config = configOf(testCase);
    const outputs: Record<string, GoldenOutputs[string]> = {};
    let memories: readonly NDArray[] = [];
    for (const form of forms) {
      const runs = await runOnce(
        engine as Engine,
        (params: RsmParams, chunks: tf.Tensor[]) => {
          let memory: tf.Tensor | undefined;
          return chunks.map((tokens) => {
            const run = forwardChunk(config, params, tokens as tf.Tensor2D, memory, { form });
            memory = run.memory;
            const layers = run.blocks.map((block) => block.memory);
            return { logits: run.logits as tf.Tensor, memory: run.memory, layers };
          });
        },
        paramsOf(testCase, config) as never,
        chunksOf(testCase, 'in/x'),
      );
      memories = runs.map(({ memory }) => memory);
      for (const [index, { logits, memory, layers }] of runs.entries()) {
        outputs[`out/logits_${index}@${form}`] = logits.data;
        outputs[`state/memory_${index}@${form}`] = memory.data;
        for (const [block, layer] of layers.entries()) {
          outputs[`state/layer_${index}_${block}@${form}`] = () => layer.data;
        }
      }
    }
    return { ...outputs, 'out/retention': () => retention(memories) };
  },
};

/** Cosine of every slot between successive memories of the first row, [slots, memories - 1]; 0 for a slot of zeros. */
function retention(memories: readonly NDArray[]): Float32Array {
  const [, slots, width] = memories[0]!.shape as [number, number, number];
  const transitions = memories.length - 1;
  const data = new Float32Array(slots * transitions);
  for (let slot = 0; slot < slots; slot++) {
    for (let index = 0; index < transitions; index++) {
      const row = (memory: NDArray) =>
        (memory.data as Float32Array).subarray(slot * width, (slot + 1) * width);
      data[slot * transitions + index] = cosine(row(memories[index]!), row(memories[index + 1]!));
    }
  }
  return data;
}

function cosine(a: Float32Array, b: Float32Array): number {
  const product = (x: Float32Array, y: Float32Array) => x.reduce((sum, value, i) => sum + value * y[i]!, 0);
  const norms = Math.sqrt(product(a, a) * product(b, b));
  return norms === 0 ? 0 : product(a, b) / norms;
}

/** Case 06, one chunk with a given memory, and case 07, several from the learned first memory: losses and gradients. */
const gradientHandler = (kind: string): GoldenHandler => ({
  system: 'rsm',
  kind,
  run: async (testCase, { engine }) => {
    const config = configOf(testCase);
    const given = testCase.has('in/memory') ? testCase.array('in/memory') : undefined;
    const outputs: GoldenOutputs[] = [];
    for (const form of forms) {
      const { losses, runs, gradients } = await streamGradients(
        testCase,
        engine as Engine,
        paramsOf(testCase, config) as unknown as RsmParams,
        (params, chunks) =>
          chunkStream(config, form, given && tf.tensor(given.data, [...given.shape]))(params, chunks),
      );
      const lossOutputs = losses.map((loss, index) => [`out/loss_${index}`, loss.data] as const);
      const values = { ...Object.fromEntries(lossOutputs), 'state/memory': runs.at(-1)!.memory.data };
      outputs.push(inForm(form, { ...values, ...gradientOutputs(testCase, gradients) }));
    }
    return Object.assign({}, ...outputs);
  },
});

/** Case 13: a chunk in training mode with its keep masks given. */
const dropoutHandler: GoldenHandler = {
  system: 'rsm',
  kind: 'dropout',
  run: async (testCase, { engine }) => {
    const config = configOf(testCase);
    const masks = {
      embedding: testCase.array('in/mask_embed'),
      blocks: Array.from({ length: config.numLayers }, (_, block) => ({
        attention: testCase.array(`in/mask_${block}_attn`),
        read: testCase.array(`in/mask_${block}_read`),
        mlp: testCase.array(`in/mask_${block}_mlp`),
      })),
    };
    const result = await runOnce(
      engine as Engine,
      (params: RsmParams, x: tf.Tensor, y: tf.Tensor, memory: tf.Tensor, keep: KeepMasks) => {
        const { value, gradients, aux } = valueAndGradient((current: RsmParams) => {
          const run = forwardChunk(config, current, x as tf.Tensor2D, stopGradient(memory), {
            dropout: givenMasks(keep, config.dropout),
          });
          return [chunkLoss(run.logits, y), { logits: run.logits as tf.Tensor, memory: run.memory }] as const;
        }, params);
        return { loss: value, gradients: gradients as unknown, ...aux };
      },
      paramsOf(testCase, config) as never,
      testCase.array('in/x'),
      testCase.array('in/y'),
      testCase.array('in/memory'),
      masks,
    );
    const { loss, logits, memory, gradients } = result as Record<'loss' | 'logits' | 'memory', NDArray> & {
      gradients: unknown;
    };
    return {
      'out/loss': loss.data,
      'out/logits': logits.data,
      'state/memory': memory.data,
      ...gradientOutputs(testCase, gradients),
    };
  },
};

export const chunkHandlers: readonly GoldenHandler[] = [
  streamHandler,
  gradientHandler('grads-one-chunk'),
  gradientHandler('grads-bptt'),
  dropoutHandler,
];
