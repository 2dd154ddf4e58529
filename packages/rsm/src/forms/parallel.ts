import { embedding, InputError, linear, softmax, tf } from '@palimpsest/tensor-core';
import { causalSelfAttention } from '../attention.js';
import { block } from '../block.js';
import type { RsmConfig } from '../config.js';
import { type BlockSite, type Dropout, noDropout } from '../dropout-source.js';
import { foldQueries, gateAndInput } from '../memory/fast-write.js';
import { foldRead, readFolded } from '../memory/folded-read.js';
import { linearScan, type ScanForm } from '../memory/linear-scan.js';
import { slotIdentities, splitMemory } from '../memory/slots.js';
import type { BlockParams, GatedUpdateParams, RsmParams } from '../parameters.js';
import { firstPositions } from '../positional-encoding.js';
import { readHead } from './chunk.js';

/** Several chunks of a text at once. */
export interface ChunksResult {
  /** [batch, chunks x chunkSize, vocabSize]. */
  readonly logits: tf.Tensor;
  /** Memory after the last chunk. */
  readonly memory: tf.Tensor;
  /** Gates of every block, for telemetry: [batch x chunks, slots or 1, d] or [batch, slots or 1, d] each. */
  readonly gates: readonly tf.Tensor[];
}

export interface ChunksOptions {
  readonly dropout?: Dropout;
  /** Default 'sequential' */
  readonly scan?: ScanForm;
}

/** Whether all chunks can be computed at once: what is written depends on no memory, and is written before it is read. */
export function isParallel(config: RsmConfig): boolean {
  const { memoryScope, memoryRead, writeSource, updateRule, useGlobalSync } = config;
  const independent = writeSource === 'preRead' && updateRule === 'linear';
  return independent && memoryScope === 'perLayer' && memoryRead === 'chunkStart' && !useGlobalSync;
}

/**
 * Fully parallel form of the `parallel` wiring (DERIVATION.md, "Chunks at once"): block by block, chunks are folded into the batch, all
 * summaries, gates and candidates are computed at once, and a linear scan gives the memory at the start of every chunk.
 * @param tokens int32 [batch, chunks x chunkSize]
 * @param memory [batch, layers, slots, d]
 * @throws InputError for another wiring, or tokens that do not fill their chunks.
 */
export function forwardParallel(
  config: RsmConfig,
  params: RsmParams,
  tokens: tf.Tensor2D,
  memory: tf.Tensor,
  options: ChunksOptions = {},
): ChunksResult {
  if (!isParallel(config)) {
    throw new InputError(
      "The parallel form needs memoryScope 'perLayer', memoryRead 'chunkStart', writeSource 'preRead', updateRule 'linear' and no sync; use the chunk loop.",
    );
  }
  const layout = chunkLayout(config, tokens);
  const { dropout = noDropout, scan = 'sequential' } = options;
  const identities = slotIdentities(config, params);
  const memories = splitMemory(config, memory);
  let x = dropout(embedChunks(params, tokens, layout), { site: 'embedding' });
  const gates: tf.Tensor[] = [];
  const next = params.blocks.map((block, layer) => {
    const result = parallelBlock(block, x, memories[layer]!, identities[layer], {
      config,
      layout,
      scan,
      dropout: (value, site) => dropout(value, { site, block: layer }),
    });
    x = result.output;
    gates.push(result.gate);
    return result.memory;
  });
  const { batch, chunks, time } = layout;
  const logits = tf.reshape(readHead(params, x), [batch, chunks * time, config.vocabSize]);
  return { logits, memory: tf.stack(next, 1), gates };
}

interface ChunkLayout {
  readonly batch: number;
  readonly chunks: number;
  /** Tokens of a chunk. */
  readonly time: number;
}

/** @throws InputError for tokens that do not fill their chunks. */
function chunkLayout({ chunkSize }: RsmConfig, tokens: tf.Tensor2D): ChunkLayout {
  const [batch, length] = tokens.shape;
  if (length === 0 || length % chunkSize !== 0) {
    throw new InputError(
      `Whole chunks of ${chunkSize} tokens are needed, but ${length} tokens were given; run the rest as a chunk of its own.`,
    );
  }
  return { batch, chunks: length / chunkSize, time: chunkSize };
}

/** Embedded tokens with the chunks folded into the batch, [batch x chunks, time, d]. */
function embedChunks(params: RsmParams, tokens: tf.Tensor2D, layout: ChunkLayout): tf.Tensor {
  const { batch, chunks, time } = layout;
  const rows = embedding(params.tokenEmbedding, tf.reshape(tokens, [batch * chunks, time]));
  return tf.add(rows, firstPositions(time, params.tokenEmbedding.shape[1]!));
}

interface ParallelContext {
  readonly config: RsmConfig;
  readonly layout: ChunkLayout;
  readonly scan: ScanForm;
  readonly dropout: (x: tf.Tensor, site: BlockSite) => tf.Tensor;
}

/** @param x [batch x chunks, time, d] @param first [batch, slots, d] */
function parallelBlock(
  params: BlockParams,
  x: tf.Tensor,
  first: tf.Tensor,
  slotIdentity: tf.Tensor | undefined,
  { config, layout, scan, dropout }: ParallelContext,
): { output: tf.Tensor; memory: tf.Tensor; gate: tf.Tensor } {
  const { batch, chunks } = layout;
  const [, slots, d] = first.shape as [number, number, number];
  let [gate, states]: (tf.Tensor | undefined)[] = [];
  const { output } = block(params, x, {
    attend: (rows) =>
      causalSelfAttention(params.selfAttention, rows, config, (weights) => dropout(weights, 'attention'))
        .output,
    read: (rows, attended) => {
      const written = gateAndInput(params.memoryWrite, summaries(params.memoryWrite, attended, slotIdentity));
      ({ gate } = written);
      const perChunk = (value: tf.Tensor) => tf.reshape(value, [batch, chunks, value.shape[1]!, d]);
      const [decay, input] = [tf.sub(1, gate), tf.mul(gate, tf.tanh(written.input))];
      states = linearScan(perChunk(decay), perChunk(input), first, scan);
      const earlier = tf.slice(states, [0, 0, 0, 0], [batch, chunks - 1, slots, d]);
      const starts = tf.reshape(tf.concat([tf.expandDims(first, 1), earlier], 1), [batch * chunks, slots, d]);
      const folded = foldRead(params.memoryRead, slotIdentity ? tf.add(starts, slotIdentity) : starts);
      const { bias } = params.memoryRead.output;
      return readFolded(rows, folded, bias, (read) => dropout(read, 'read')).output;
    },
    dropout: (hidden) => dropout(hidden, 'mlp'),
  });
  const memory = tf.reshape(tf.slice(states!, [0, chunks - 1, 0, 0], [batch, 1, slots, d]), first.shape);
  return { output, memory, gate: gate! };
}

/** Summaries of all chunks, whose queries are the slot identities: [batch x chunks, slots or 1, d]. */
function summaries(params: GatedUpdateParams, source: tf.Tensor, slotIdentity?: tf.Tensor): tf.Tensor {
  const { salienceQuery, salienceKey } = params;
  if (!salienceQuery || !salienceKey) return tf.mean(source, 1, true);
  const slots = slotIdentity ?? tf.zeros([1, source.shape[2]!]);
  const queries = foldQueries(salienceQuery, salienceKey, slots);
  return tf.matMul(softmax(tf.transpose(linear(source, queries), [0, 2, 1])), source);
}
