import {
  type DeviceArray,
  disposeTree,
  type Engine,
  InputError,
  isOnDevice,
  ndarray,
  tf,
} from '@palimpsest/tensor-core';
import { memoryCount, memoryOfLayer, type RsmConfig } from './config.js';
import { forwardChunk } from './forms/chunk.js';
import { syncMemories } from './memory/between-chunks.js';
import { initialMemory } from './memory/slots.js';
import type { RsmParams } from './parameters.js';
import { hasHiddenSync } from './state.js';
import { participationRatio } from './telemetry.js';

/** Bins of a gate histogram, which divide [0, 1] evenly. */
export const GATE_BINS = 20;

/** What a memory was after a chunk. */
export interface InspectedChunk {
  /** First token, and number of tokens. */
  readonly from: number;
  readonly tokens: number;
  /** Participation ratio of the slots of every memory: 1 when all hold one vector, up to the number of slots. */
  readonly slotRank: readonly number[];
  /** Norms of the slots of every memory, [memories][slots]. */
  readonly slotNorms: readonly (readonly number[])[];
  /** Mean gate of every block's write. */
  readonly gateMean: readonly number[];
}

/** What a model's memory did while it read a text. */
export interface TextInspection {
  readonly tokens: Int32Array;
  readonly numLayers: number;
  readonly numSlots: number;
  readonly width: number;
  /** Which memory each block reads and writes. */
  readonly memoryOfLayer: readonly number[];
  readonly chunks: readonly InspectedChunk[];
  /** Weights of the memory reads, [tokens, layers, slots]; each row of slots sums to 1. */
  readonly reads: Float32Array;
  /** Surprise of each token given those before it, in nats; NaN for the first, which nothing precedes. */
  readonly losses: Float32Array;
  /** Number of gate values per bin in every block's writes, [layers][bins]. */
  readonly gateCounts: readonly (readonly number[])[];
  /** The memories at the end, [memories, slots, width]. */
  readonly memory: Float32Array;
}

type Tensors = Readonly<
  Record<'memory' | 'reads' | 'gates' | 'gateMean' | 'rank' | 'norms' | 'logits', tf.Tensor>
>;

type OnEngine = Readonly<Record<keyof Tensors, DeviceArray>>;

/**
 * Reads a text chunk by chunk in plain form and keeps what the memory did: gates, reads, ranks, norms (DERIVATION.md,
 * "Measures").
 * @param params on the host, or on the engine (they stay the caller's).
 * @param tokens at least one.
 * @throws InputError for an empty text, or a first-generation model.
 */
export async function inspectText(
  engine: Engine,
  config: RsmConfig,
  params: unknown,
  tokens: Int32Array,
): Promise<TextInspection> {
  if (tokens.length === 0) throw new InputError('There is nothing to inspect: the text has no tokens.');
  if (config.preset === 'legacy') {
    throw new InputError('First-generation models cannot be inspected; load one of the other presets.');
  }
  const owned = !isOnDevice(params);
  const weights = owned ? engine.put(params) : params;
  const compiled = engine.compile(inspectChunk(config) as never, { name: 'rsm inspect' });
  const read = compiled as unknown as (...args: readonly unknown[]) => Promise<OnEngine>;
  const collector = new Collector(config, tokens);
  let memory: DeviceArray | undefined;
  for (let from = 0, chunk = 0; from < tokens.length; from += config.chunkSize, chunk++) {
    const piece = tokens.subarray(from, from + config.chunkSize);
    const ids = ndarray(piece, [1, piece.length], 'int32');
    const index = ndarray(Int32Array.of(chunk), [1], 'int32');
    const args = memory ? [weights, ids, index, memory] : [weights, ids, index];
    const result = await read(...args);
    memory?.dispose();
    ({ memory } = result);
    await collector.add(from, piece.length, result);
  }
  const last = (await memory!.data()) as Float32Array;
  memory!.dispose();
  await compiled.dispose();
  if (owned) disposeTree(weights);
  return collector.finish(last);
}

/** Traced: one chunk with everything that is kept of it. */
function inspectChunk(config: RsmConfig) {
  const { numMemorySlots, hiddenSize } = config;
  return (params: RsmParams, ids: tf.Tensor2D, chunk: tf.Tensor, given?: tf.Tensor): Tensors => {
    const start = given ?? initialMemory(config, params, 1);
    const { logits, memory, blocks } = forwardChunk(config, params, ids, start);
    const hidden = blocks.map(({ output }) => output);
    const after = hasHiddenSync(config) ? syncMemories(config, params, memory, hidden, chunk) : memory;
    const slots = tf.reshape(after, [memoryCount(config), numMemorySlots, hiddenSize]);
    // With mean pooling all slots share one gate: [1, 1, d].
    const gates = blocks.map(({ gate }) => tf.add(gate, tf.zeros([1, numMemorySlots, hiddenSize])));
    return {
      memory: after,
      logits: tf.reshape(logits, [ids.shape[1], config.vocabSize]),
      reads: tf.concat(
        blocks.map(({ reads }) => tf.reshape(reads, [ids.shape[1], 1, numMemorySlots])),
        1,
      ),
      gates: tf.stack(gates),
      gateMean: tf.stack(gates.map((gate) => tf.mean(gate))),
      rank: participationRatio(slots),
      norms: tf.sqrt(tf.sum(tf.square(slots), -1)),
    };
  };
}

/** Puts the chunks of an inspection together. */
class Collector {
  readonly #chunks: InspectedChunk[] = [];
  readonly #reads: Float32Array;
  readonly #losses: Float32Array;
  readonly #counts: number[][];

  constructor(
    private readonly config: RsmConfig,
    private readonly tokens: Int32Array,
  ) {
    const { numLayers, numMemorySlots } = config;
    this.#reads = new Float32Array(tokens.length * numLayers * numMemorySlots);
    this.#losses = new Float32Array(tokens.length).fill(Number.NaN);
    this.#counts = Array.from({ length: numLayers }, () => new Array<number>(GATE_BINS).fill(0));
  }

  async add(from: number, count: number, result: OnEngine): Promise<void> {
    const { numLayers, numMemorySlots } = this.config;
    const read = async (name: keyof Tensors) => {
      const values = (await result[name].data()) as Float32Array;
      result[name].dispose();
      return values;
    };
    this.#reads.set(await read('reads'), from * numLayers * numMemorySlots);
    this.#score(from, count, await read('logits'));
    this.#count(await read('gates'));
    const norms = await read('norms');
    this.#chunks.push({
      from,
      tokens: count,
      slotRank: [...(await read('rank'))],
      slotNorms: rowsOf(norms, numMemorySlots),
      gateMean: [...(await read('gateMean'))],
    });
  }

  finish(memory: Float32Array): TextInspection {
    const { numLayers, numMemorySlots, hiddenSize } = this.config;
    return {
      tokens: this.tokens,
      numLayers,
      numSlots: numMemorySlots,
      width: hiddenSize,
      memoryOfLayer: Array.from({ length: numLayers }, (_, layer) => memoryOfLayer(this.config, layer)),
      chunks: this.#chunks,
      reads: this.#reads,
      losses: this.#losses,
      gateCounts: this.#counts,
      memory,
    };
  }

  /** Logits at a place predict the token after it, in this chunk or the next. */
  #score(from: number, count: number, logits: Float32Array): void {
    const classes = this.config.vocabSize;
    for (let place = 0; place < count; place++) {
      const target = this.tokens[from + place + 1];
      if (target === undefined) return;
      const row = logits.subarray(place * classes, (place + 1) * classes);
      const largest = row.reduce((most, value) => Math.max(most, value), Number.NEGATIVE_INFINITY);
      const sum = row.reduce((total, value) => total + Math.exp(value - largest), 0);
      this.#losses[from + place + 1] = largest + Math.log(sum) - row[target]!;
    }
  }

  #count(gates: Float32Array): void {
    const perLayer = gates.length / this.#counts.length;
    gates.forEach((gate, index) => {
      const bin = Math.min(GATE_BINS - 1, Math.floor(gate * GATE_BINS));
      this.#counts[Math.floor(index / perLayer)]![bin]! += 1;
    });
  }
}

function rowsOf(values: Float32Array, width: number): number[][] {
  return Array.from({ length: values.length / width }, (_, row) => [
    ...values.subarray(row * width, (row + 1) * width),
  ]);
}
