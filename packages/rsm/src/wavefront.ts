import { InputError, layerNorm, softmax, tf } from '@palimpsest/tensor-core';
import { chunkMask, splitHeads } from './attention.js';
import type { RsmConfig } from './config.js';
import { readHead } from './model.js';
import { type ChunksResult, chunkLayout, embedChunks } from './parallel.js';
import type { BlockParams, NormParams, RsmParams } from './parameters.js';
import { rotateHeads } from './rotary.js';

/** Whether cells of different blocks are independent: each block reads the memory that its own last chunk left. */
export function isWavefront(config: RsmConfig): boolean {
  return config.memoryScope === 'perLayer' && config.memoryRead === 'chunkStart' && !config.useGlobalSync;
}

/**
 * Wavefront form of the per-layer wirings (rsm.md 14.4): the cell of block l and chunk t needs those of (l - 1, t) and
 * (l, t - 1) only, so that all cells with l + t = s run as one batched call over stacked weights: chunks + layers - 1 rounds.
 * Drops nothing.
 * @param tokens int32 [batch, chunks x chunkSize]
 * @param memory [batch, layers, slots, d]
 * @throws InputError for another wiring, or tokens that do not fill their chunks.
 */
export function forwardWavefront(
  config: RsmConfig,
  params: RsmParams,
  tokens: tf.Tensor2D,
  memory: tf.Tensor,
): ChunksResult {
  if (!isWavefront(config)) {
    throw new InputError(
      "The wavefront form needs memoryScope 'perLayer', memoryRead 'chunkStart' and no sync; use the chunk loop.",
    );
  }
  const layout = chunkLayout(config, tokens);
  const { batch, chunks, time } = layout;
  const { numLayers: layers, hiddenSize: d } = config;
  const embedded = tf.unstack(tf.reshape(embedChunks(params, tokens, layout), [batch, chunks, time, d]), 1);
  const weights = stackBlocks(params);
  // A copy: the tape keeps the list that unstack gives.
  const memories = [...tf.unstack(memory, 1)];
  const waiting: tf.Tensor[] = [];
  const gates: tf.Tensor[] = [];
  const outputs: tf.Tensor[] = [];
  for (let round = 0; round < chunks + layers - 1; round++) {
    const first = Math.max(0, round - chunks + 1);
    const last = Math.min(layers - 1, round);
    if (round < chunks) waiting[0] = embedded[round]!;
    const count = last - first + 1;
    const cells = runCells(
      config,
      sliceLayers(weights, first, count, layers),
      tf.stack(waiting.slice(first, last + 1), 0),
      tf.stack(memories.slice(first, last + 1), 0),
    );
    gates.push(tf.reshape(cells.gate, [-1, ...cells.gate.shape.slice(2)]));
    const next = tf.unstack(cells.memory, 0);
    const y = tf.unstack(cells.output, 0);
    for (let layer = last; layer >= first; layer--) {
      memories[layer] = next[layer - first]!;
      if (layer === layers - 1) outputs.push(y[layer - first]!);
      else waiting[layer + 1] = y[layer - first]!;
    }
  }
  const hidden = tf.concat(outputs, 1);
  return { logits: readHead(params, hidden), memory: tf.stack(memories, 1), gates };
}

/** Parameters of several blocks, stacked: matrices [layers, in, out], vectors [layers, 1, out], one per row. */
interface StackedBlocks {
  readonly [name: string]: tf.Tensor;
}

const matrices = (blocks: readonly BlockParams[], of: (block: BlockParams) => tf.Tensor) =>
  tf.transpose(tf.stack(blocks.map(of), 0), [0, 2, 1]);
const asStored = (blocks: readonly BlockParams[], of: (block: BlockParams) => tf.Tensor) =>
  tf.stack(blocks.map(of), 0);
const vectors = (blocks: readonly BlockParams[], of: (block: BlockParams) => tf.Tensor) =>
  tf.expandDims(tf.stack(blocks.map(of), 0), 1);

function stackBlocks({ blocks, slotIdentity }: RsmParams): StackedBlocks {
  const scale = 1 / Math.sqrt(blocks[0]!.attentionNorm.gain.size);
  const norms = (name: string, of: (block: BlockParams) => NormParams) => ({
    [`${name}Gain`]: vectors(blocks, (block) => of(block).gain),
    [`${name}Bias`]: vectors(blocks, (block) => of(block).bias),
  });
  const write = blocks[0]!.memoryWrite;
  return {
    ...norms('attention', (block) => block.attentionNorm),
    ...norms('read', (block) => block.readNorm),
    ...norms('mlp', (block) => block.mlpNorm),
    qkv: matrices(blocks, ({ selfAttention }) => selfAttention.qkv.weight),
    projection: matrices(blocks, ({ selfAttention }) => selfAttention.projection.weight),
    projectionBias: vectors(blocks, ({ selfAttention }) => selfAttention.projection.bias),
    readKey: matrices(blocks, ({ memoryRead }) => memoryRead.key.weight),
    readQuery: tf.mul(
      asStored(blocks, ({ memoryRead }) => memoryRead.query.weight),
      scale,
    ),
    readValue: matrices(blocks, ({ memoryRead }) => memoryRead.value.weight),
    readOutput: matrices(blocks, ({ memoryRead }) => memoryRead.output.weight),
    readOutputBias: vectors(blocks, ({ memoryRead }) => memoryRead.output.bias),
    hidden: matrices(blocks, ({ mlp }) => mlp.hidden.weight),
    hiddenBias: vectors(blocks, ({ mlp }) => mlp.hidden.bias),
    output: matrices(blocks, ({ mlp }) => mlp.output.weight),
    outputBias: vectors(blocks, ({ mlp }) => mlp.output.bias),
    gate: matrices(blocks, ({ memoryWrite }) => memoryWrite.gate.weight),
    gateBias: vectors(blocks, ({ memoryWrite }) => memoryWrite.gate.bias),
    input: matrices(blocks, ({ memoryWrite }) => memoryWrite.input.weight),
    ...(write.recurrence && {
      recurrence: matrices(blocks, ({ memoryWrite }) => memoryWrite.recurrence!.weight),
    }),
    ...(write.salienceQuery && {
      salienceQuery: matrices(blocks, ({ memoryWrite }) => memoryWrite.salienceQuery!.weight),
      salienceBias: vectors(blocks, ({ memoryWrite }) => memoryWrite.salienceQuery!.bias),
      salienceKey: tf.mul(
        asStored(blocks, ({ memoryWrite }) => memoryWrite.salienceKey!.weight),
        scale,
      ),
    }),
    ...(slotIdentity && { slotIdentity }),
  };
}

/** The stacked parameters of `count` blocks from `first` on. */
function sliceLayers(weights: StackedBlocks, first: number, count: number, layers: number): StackedBlocks {
  if (count === layers) return weights;
  return Object.fromEntries(
    Object.entries(weights).map(([name, value]) => [
      name,
      tf.slice(value, [first, 0, 0], [count, value.shape[1]!, value.shape[2]!]),
    ]),
  );
}

interface CellsResult {
  /** [cells, batch, time, d]. */
  readonly output: tf.Tensor;
  /** [cells, batch, slots, d]. */
  readonly memory: tf.Tensor;
  readonly gate: tf.Tensor;
}

/** @param x [cells, batch, time, d] @param memory [cells, batch, slots, d] */
function runCells(config: RsmConfig, weights: StackedBlocks, x: tf.Tensor, memory: tf.Tensor): CellsResult {
  const [cells, batch, time, d] = x.shape as [number, number, number, number];
  const slots = memory.shape[2]!;
  const rows = tf.reshape(x, [cells, batch * time, d]);
  const perText = (value: tf.Tensor) => tf.reshape(value, [cells * batch, -1, d]);
  const perCell = (value: tf.Tensor) => tf.reshape(value, [cells, -1, d]);

  const attended = selfAttention(config, weights, normaliseCells(rows, weights, 'attention'), batch, time);
  const a = tf.add(rows, attended);
  const start = perCell(memory);
  const identified = (value: tf.Tensor) =>
    weights.slotIdentity
      ? perCell(
          tf.add(
            tf.reshape(value, [cells, batch, slots, d]),
            tf.reshape(weights.slotIdentity, [cells, 1, slots, d]),
          ),
        )
      : value;
  const readSlots = identified(start);
  const keys = tf.matMul(tf.matMul(readSlots, weights.readKey!), weights.readQuery!);
  const values = tf.matMul(tf.matMul(readSlots, weights.readValue!), weights.readOutput!);
  const query = normaliseCells(a, weights, 'read');
  const reads = softmax(tf.matMul(perText(query), perText(keys), false, true));
  const fromMemory = tf.add(perCell(tf.matMul(reads, perText(values))), weights.readOutputBias!);
  const h = tf.add(a, fromMemory);
  const hidden = tf.relu(
    tf.add(tf.matMul(normaliseCells(h, weights, 'mlp'), weights.hidden!), weights.hiddenBias!),
  );
  const y = tf.add(h, tf.add(tf.matMul(hidden, weights.output!), weights.outputBias!));

  const source = perText(config.writeSource === 'preRead' ? a : y);
  const poolSlots =
    config.updateRule === 'linear' ? identified(tf.zeros([cells, batch * slots, d])) : identified(start);
  const summary = weights.salienceQuery
    ? perCell(pool(perText(foldCellQueries(weights, poolSlots)), source))
    : tf.mean(tf.reshape(source, [cells, batch, time, d]), 2);
  const gate = tf.sigmoid(tf.add(tf.matMul(summary, weights.gate!), weights.gateBias!));
  const input = tf.matMul(summary, weights.input!);
  const shaped = (value: tf.Tensor) => tf.reshape(value, [cells, batch, -1, d]);
  const candidate = tf.tanh(
    weights.recurrence ? tf.add(shaped(tf.matMul(start, weights.recurrence)), shaped(input)) : shaped(input),
  );
  return {
    output: tf.reshape(y, x.shape),
    memory: tf.add(memory, tf.mul(shaped(gate), tf.sub(candidate, memory))),
    gate: shaped(gate),
  };
}

const pool = (queries: tf.Tensor, source: tf.Tensor) =>
  tf.matMul(softmax(tf.matMul(queries, source, false, true)), source);

const foldCellQueries = (weights: StackedBlocks, slots: tf.Tensor) =>
  tf.matMul(tf.add(tf.matMul(slots, weights.salienceQuery!), weights.salienceBias!), weights.salienceKey!);

/** Layer norm with gains and biases of every cell. */
function normaliseCells(rows: tf.Tensor, weights: StackedBlocks, name: string): tf.Tensor {
  const d = rows.shape[2]!;
  const normal = layerNorm(rows, tf.ones([d]), tf.zeros([d]));
  return tf.add(tf.mul(normal, weights[`${name}Gain`]!), weights[`${name}Bias`]!);
}

/** @param rows [cells, batch x time, d] */
function selfAttention(
  config: RsmConfig,
  weights: StackedBlocks,
  rows: tf.Tensor,
  batch: number,
  time: number,
): tf.Tensor {
  const [cells, , d] = rows.shape as [number, number, number];
  const { numHeads: heads, slidingWindow } = config;
  const width = d / heads;
  const [query, key, value] = splitHeads(tf.matMul(rows, weights.qkv!), cells * batch, time, heads);
  const scaled = tf.mul(rotateHeads(config, query), 1 / Math.sqrt(width));
  const scores = tf.matMul(scaled, rotateHeads(config, key), false, true);
  const read = tf.matMul(softmax(tf.add(scores, chunkMask(time, slidingWindow))), value);
  const merged = tf.reshape(tf.transpose(read, [0, 2, 1, 3]), [cells, batch * time, d]);
  return tf.add(tf.matMul(merged, weights.projection!), weights.projectionBias!);
}
