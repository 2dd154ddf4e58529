import {
  crossEntropy,
  type Engine,
  type NDArray,
  stopGradient,
  tf,
  treeLeaves,
  valueAndGradient,
} from '@palimpsest/tensor-core';
import type { RsmConfig } from '../config.js';
import { givenMasks, type KeepMasks } from '../dropout-source.js';
import type { BlockForm } from '../forms/block-chunk.js';
import { forwardChunk } from '../forms/chunk.js';
import type { RsmParams } from '../parameters.js';
import { referenceKey } from '../reference-keys.js';
import { GoldenCase } from './golden-case.js';
import { runOnce } from './run.js';
import type { ParityHandler, ParityOutput } from './types.js';

/** One chunk after another with the memory carried: what every chunk gives. */
export interface ChunkRun {
  readonly logits: tf.Tensor;
  readonly memory: tf.Tensor;
}

export type StreamForward<P> = (params: P, chunks: readonly tf.Tensor[]) => readonly ChunkRun[];

/** The inputs or labels of the chunks of a case. */
export const chunksOf = (golden: GoldenCase, prefix: string): NDArray[] =>
  Array.from({ length: golden.count(prefix) }, (_, index) => golden.array(`${prefix}_${index}`));

/** Mean cross-entropy of a chunk. */
export function chunkLoss(logits: tf.Tensor, labels: tf.Tensor): tf.Tensor {
  return crossEntropy(tf.reshape(logits, [-1, logits.shape.at(-1)!]), tf.reshape(labels, [-1]));
}

/** Losses and gradients of the sum of the chunk losses; the gradients by the reference's names. */
export async function streamGradients<P>(
  golden: GoldenCase,
  engine: Engine,
  params: P,
  forward: StreamForward<P>,
  keyOf: (path: string) => string = referenceKey,
) {
  const result = await runOnce(
    engine,
    (weights: P, x: readonly tf.Tensor[], y: readonly tf.Tensor[]) => {
      const { value, gradients, aux } = valueAndGradient((current: P) => {
        const runs = forward(current, x);
        const losses = runs.map(({ logits }, index) => chunkLoss(logits, y[index]!));
        return [losses.reduce((sum, loss) => tf.add(sum, loss)), { losses, runs: [...runs] }] as const;
      }, weights);
      return { loss: value as tf.Tensor, gradients: gradients as unknown as P, ...aux };
    },
    params as never,
    chunksOf(golden, 'in/x') as never,
    chunksOf(golden, 'in/y') as never,
  );
  const host = result as unknown as {
    loss: NDArray;
    losses: NDArray[];
    runs: { logits: NDArray; memory: NDArray }[];
    gradients: unknown;
  };
  const gradients = new Map(
    treeLeaves<NDArray>(host.gradients).map(({ path, leaf }) => [keyOf(path), leaf] as const),
  );
  return { ...host, gradients };
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
export const streamHandler: ParityHandler = {
  system: 'rsm',
  kind: 'stream',
  run: async (testCase, context) => {
    const golden = new GoldenCase(testCase);
    const config = golden.config();
    const outputs: ParityOutput[] = [];
    let memories: readonly NDArray[] = [];
    for (const form of forms) {
      const result = await runOnce(
        context.engine as Engine,
        (params: RsmParams, chunks: readonly tf.Tensor[]) => {
          let memory: tf.Tensor | undefined;
          return chunks.map((tokens) => {
            const run = forwardChunk(config, params, tokens as tf.Tensor2D, memory, { form });
            memory = run.memory;
            return {
              logits: run.logits as tf.Tensor,
              memory: run.memory,
              layers: run.blocks.map((block) => block.memory),
            };
          });
        },
        golden.params(config) as never,
        chunksOf(golden, 'in/x') as never,
      );
      const runs = result as unknown as { logits: NDArray; memory: NDArray; layers: NDArray[] }[];
      memories = runs.map(({ memory }) => memory);
      const compare = (name: string, actual: NDArray) => golden.compare(name, actual, `${form}/${name}`);
      for (const [index, { logits, memory, layers }] of runs.entries()) {
        outputs.push(compare(`out/logits_${index}`, logits), compare(`state/memory_${index}`, memory));
        for (const [block, layer] of layers.entries()) {
          const name = `state/layer_${index}_${block}`;
          if (golden.has(name)) outputs.push(compare(name, layer));
        }
      }
    }
    if (!golden.has('out/retention')) return outputs;
    return [...outputs, golden.compare('out/retention', retention(memories))];
  },
};

/** Cosine of every slot between successive memories of the first row, [slots, memories - 1]; 0 for a slot of zeros. */
function retention(memories: readonly NDArray[]): NDArray {
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
  return { data, shape: [slots, transitions], dtype: 'float32' };
}

function cosine(a: Float32Array, b: Float32Array): number {
  let [dot, aa, bb] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    dot += a[i]! * b[i]!;
    aa += a[i]! ** 2;
    bb += b[i]! ** 2;
  }
  return aa === 0 || bb === 0 ? 0 : dot / Math.sqrt(aa * bb);
}

/** Case 06, one chunk with a given memory, and case 07, several from the learned first memory: losses and gradients. */
const gradientHandler = (kind: string): ParityHandler => ({
  system: 'rsm',
  kind,
  run: async (testCase, { engine }) => {
    const golden = new GoldenCase(testCase);
    const config = golden.config();
    const given = golden.has('in/memory') ? golden.array('in/memory') : undefined;
    const outputs: ParityOutput[] = [];
    for (const form of forms) {
      const result = await streamGradients(
        golden,
        engine as Engine,
        golden.params(config) as unknown as RsmParams,
        (params, chunks) =>
          chunkStream(config, form, given && tf.tensor(given.data, [...given.shape]))(params, chunks),
      );
      const label = `${form}/`;
      outputs.push(
        ...result.losses.map((loss, index) =>
          golden.compare(`out/loss_${index}`, loss, `${label}out/loss_${index}`),
        ),
        golden.compare('state/memory', result.runs.at(-1)!.memory, `${label}state/memory`),
        ...golden.compareGradients(result.gradients, '', label),
      );
    }
    return outputs;
  },
});

/** Case 13: a chunk in training mode with its keep masks given. */
const dropoutHandler: ParityHandler = {
  system: 'rsm',
  kind: 'dropout',
  run: async (testCase, { engine }) => {
    const golden = new GoldenCase(testCase);
    const config = golden.config();
    const masks = {
      embedding: golden.array('in/mask_embed'),
      blocks: Array.from({ length: config.numLayers }, (_, block) => ({
        attention: golden.array(`in/mask_${block}_attn`),
        read: golden.array(`in/mask_${block}_read`),
        mlp: golden.array(`in/mask_${block}_mlp`),
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
        return { loss: value as tf.Tensor, gradients: gradients as unknown as RsmParams, ...aux };
      },
      golden.params(config) as never,
      golden.array('in/x') as never,
      golden.array('in/y') as never,
      golden.array('in/memory') as never,
      masks as never,
    );
    const { loss, logits, memory, gradients } = result as unknown as Record<
      'loss' | 'logits' | 'memory',
      NDArray
    > & {
      gradients: unknown;
    };
    const named = new Map(
      treeLeaves<NDArray>(gradients).map(({ path, leaf }) => [referenceKey(path), leaf] as const),
    );
    const outputs: ParityOutput[] = [
      golden.compare('out/loss', loss),
      golden.compare('out/logits', logits),
      golden.compare('state/memory', memory),
    ];
    return [...outputs, ...golden.compareGradients(named)];
  },
};

export const gradientHandlers: readonly ParityHandler[] = [
  gradientHandler('grads-one-chunk'),
  gradientHandler('grads-bptt'),
  dropoutHandler,
];
