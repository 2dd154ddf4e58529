import { type NDArray, ndarray } from '@palimpsest/tensor-core';
import { contentCentroids } from '../encoders/content-centroid.js';
import { jaccard, topicTriplets, tripletWeights } from '../losses/bundle-axis-alignment.js';
import { anchorBatch } from '../losses/prefix-semantic-anchor.js';
import { shortShare } from '../losses/write-policy.js';
import type { MemLLM4 } from '../model/mem-llm.js';
import type { LossBatch } from './losses.js';

/** A text of a batch: its ids and its pooled state. */
export interface TrainingText {
  readonly text: string;
  readonly ids: readonly number[];
  readonly hidden: Float32Array;
}

/** Texts that are trained on together. */
export interface TrainingBatch {
  readonly texts: readonly TrainingText[];
  /** What the losses read. */
  readonly losses: LossBatch;
}

/** Batches that are kept: a corpus that is gone through in windows comes back to the same ones. */
const KEPT_BATCHES = 64;

/**
 * Batches of texts for the losses. The language model is frozen, so the pooled states of texts and of their first halves are made
 * once and kept, and so are whole batches.
 */
export class TrainingTexts {
  readonly #pooled = new Map<string, Float32Array>();
  readonly #batches = new Map<string, TrainingBatch>();

  constructor(private readonly memory: MemLLM4) {}

  /** Texts as the losses read them: row i is written at time i, alone in its session. */
  async of(texts: readonly string[]): Promise<TrainingBatch> {
    const key = JSON.stringify(texts);
    const known = this.#batches.get(key);
    if (known) return known;
    const read = await this.#read(texts);
    const batch = { texts: read, losses: await this.#batch(read) };
    const oldest = this.#batches.keys().next().value;
    if (this.#batches.size >= KEPT_BATCHES && oldest !== undefined) this.#batches.delete(oldest);
    this.#batches.set(key, batch);
    return batch;
  }

  /** Ids with special tokens and pooled states of texts. */
  async #read(texts: readonly string[]): Promise<TrainingText[]> {
    const ids = texts.map((text) => this.memory.text.encode(text));
    const hidden = await this.#states(ids);
    return texts.map((text, row) => ({ text, ids: ids[row]!, hidden: hidden[row]! }));
  }

  /** What the losses read of a batch. */
  async #batch(texts: readonly TrainingText[]): Promise<LossBatch> {
    const { memory } = this;
    const { dLLM, lMem, topicTriplet } = memory.config;
    const rows = texts.length;
    const hidden = joined(
      texts.map((text) => text.hidden),
      dLLM,
    );
    const plain = texts.map(({ text }) => memory.text.encode(text, false));
    const anchor = anchorBatch(plain, lMem, memory.text.model.options, (list) => memory.text.padded(list));
    return {
      inputs: {
        hidden,
        centroids: contentCentroids(
          texts.map(({ ids }) => ids),
          memory.text.unitEmbeddings,
        ),
        sessionSummary: hidden,
      },
      triplets: tripletWeights(topicTriplets(jaccard(texts.map(({ ids }) => ids)), topicTriplet), rows),
      shortShare: ndarray([shortShare(plain)], []),
      ...(anchor && {
        anchor: { queries: joined(await this.#states(anchor.firstHalves), dLLM), batch: anchor.batch },
      }),
    };
  }

  /** Pooled states, those that are not known yet in one pass. */
  async #states(texts: readonly (readonly number[])[]): Promise<Float32Array[]> {
    const unknown = new Map(
      texts.filter((ids) => !this.#pooled.has(ids.join())).map((ids) => [ids.join(), ids] as const),
    );
    if (unknown.size > 0) {
      const { data, shape } = await this.memory.pool([...unknown.values()]);
      [...unknown.keys()].forEach((key, row) => {
        this.#pooled.set(key, Float32Array.from(data.slice(row * shape[1]!, (row + 1) * shape[1]!)));
      });
    }
    return texts.map((ids) => this.#pooled.get(ids.join())!);
  }
}

function joined(rows: readonly Float32Array[], width: number): NDArray<'float32'> {
  const data = new Float32Array(rows.length * width);
  rows.forEach((row, index) => {
    data.set(row, index * width);
  });
  return ndarray(data, [rows.length, width]);
}
