import { embedding, InputError, linear, tf } from '@palimpsest/tensor-core';
import { normalise } from '../block.js';
import { memoryOfLayer, type RsmConfig } from '../config.js';
import { type Dropout, noDropout } from '../dropout-source.js';
import { initialMemory, joinMemory, slotIdentities, splitMemory } from '../memory/slots.js';
import type { RsmParams } from '../parameters.js';
import { firstPositions } from '../positional-encoding.js';
import { type BlockForm, type BlockResult, blockOverChunk } from './block-chunk.js';

export interface ChunkOptions {
  /** Drops activations; see `keyedDropout` and `givenMasks`. Default none */
  readonly dropout?: Dropout;
  /** Places whose logits are wanted: all, or the last one, or one for every text (int32 [batch]); one place gives [batch, 1, vocabSize]. Default 'all' */
  readonly logits?: 'all' | 'last' | tf.Tensor;
  /** How blocks are evaluated; both give the same numbers. Default 'fast' */
  readonly form?: BlockForm;
  /** Which tokens are written into the memory, float32 [batch, time] of 0 and 1. Default all */
  readonly mask?: tf.Tensor;
}

export interface ChunkResult {
  /** [batch, time, vocabSize]; position t predicts token t + 1. */
  readonly logits: tf.Tensor3D;
  /** The memory after the chunk, in the layout of the one given. */
  readonly memory: tf.Tensor;
  /** Output of the last block before the final norm, [batch, time, d]. */
  readonly hidden: tf.Tensor;
  /** What every block gave: outputs, memories, gates, attention weights. */
  readonly blocks: readonly BlockResult[];
}

/**
 * Token embedding plus sinusoids of the places in the chunk, [batch, time, d].
 * @param tokens int32 [batch, time]
 */
export function embedTokens(params: RsmParams, tokens: tf.Tensor2D): tf.Tensor {
  const width = params.tokenEmbedding.shape[1]!;
  return tf.add(embedding(params.tokenEmbedding, tokens), firstPositions(tokens.shape[1], width));
}

/** Logits of rows, through the final norm and the tied head: [..., d] to [..., vocabSize]. */
export function readHead(params: RsmParams, x: tf.Tensor): tf.Tensor {
  return linear(normalise(x, params.normOut), params.tokenEmbedding);
}

/** The rows of [batch, time, d] that are asked for. */
export function pickRows(x: tf.Tensor, which: NonNullable<ChunkOptions['logits']>): tf.Tensor {
  if (which === 'all') return x;
  if (which === 'last') return tf.slice(x, [0, x.shape[1]! - 1, 0], [-1, 1, -1]);
  return tf.gather(x, tf.expandDims(which, 1), 1, 1);
}

/** @throws InputError for a chunk that is empty or longer than the position table. */
export function checkChunk(config: RsmConfig, time: number): void {
  const most = 2 * config.windowSize;
  if (time >= 1 && time <= most) return;
  throw new InputError(
    `A chunk has 1 to ${most} tokens (2 x windowSize), but ${time} were given; cut the text or choose a larger windowSize.`,
  );
}

/**
 * One chunk, for every wiring (DERIVATION.md, "Wirings"). With memoryRead 'running' a block reads what the block before
 * it wrote; with 'chunkStart' all read the memory as it was at the start of the chunk.
 * @param tokens int32 [batch, time], 1 to 2 windowSize of them
 * @param memory as `memoryShape` says; default: the learned first memory
 * @throws InputError for a chunk of the wrong length.
 */
export function forwardChunk(
  config: RsmConfig,
  params: RsmParams,
  tokens: tf.Tensor2D,
  memory?: tf.Tensor,
  options: ChunkOptions = {},
): ChunkResult {
  const [batch, time] = tokens.shape;
  checkChunk(config, time);
  const { dropout = noDropout, logits = 'all', form = 'fast', mask } = options;
  const start = splitMemory(config, memory ?? initialMemory(config, params, batch));
  const current = [...start];
  const identities = slotIdentities(config, params);
  let x = dropout(embedTokens(params, tokens), { site: 'embedding' });
  const blocks = params.blocks.map((block, layer) => {
    const place = memoryOfLayer(config, layer);
    const result = blockOverChunk(
      block,
      {
        x,
        read: (config.memoryRead === 'running' ? current : start)[place]!,
        write: current[place]!,
        slotIdentity: identities[layer],
        mask,
        dropout: (value, site) => dropout(value, { site, block: layer }),
      },
      config,
      form,
    );
    x = result.output;
    current[place] = result.memory;
    return result;
  });
  return {
    logits: readHead(params, pickRows(x, logits)) as tf.Tensor3D,
    memory: joinMemory(config, current),
    hidden: x,
    blocks,
  };
}
