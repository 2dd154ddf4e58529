import { type NDArray, ndarray } from '@palimpsest/tensor-core';
import type { TextModel } from '../model/text-model.js';
import { type ConversationConfig, leadInIds } from './config.js';

/**
 * Slots of memories as a model reads them without any training: each memory is a shortened line of the conversation, its content
 * tokens between the tokens that open and close a line (DERIVATION.md, "Pointer slots").
 */
export class SlotFrame {
  readonly #opening: readonly number[];
  readonly #closing: readonly number[];
  readonly #leadIn: readonly number[];

  constructor(
    private readonly text: TextModel,
    config: ConversationConfig,
  ) {
    const { memoryForm } = config;
    this.#leadIn = leadInIds(text, config);
    const [before = '', after = ''] = memoryForm.split('{text}');
    const idsOf = (part: string) => (part === '' ? [] : text.encode(part, false));
    this.#opening = idsOf(before.trimEnd());
    this.#closing = idsOf(`.${after}`);
  }

  /** Positions that a memory of these content tokens takes. */
  positions(ids: readonly number[]): number {
    return this.#opening.length + ids.length + this.#closing.length;
  }

  /**
   * Embeddings of memories in their frames, one behind the other.
   * @returns `[1, positions, width]`; nothing without memories and lead-in
   */
  prefix(memories: readonly (readonly number[])[]): NDArray | undefined {
    const framed = memories.flatMap((content) => [...this.#opening, ...content, ...this.#closing]);
    const ids = [...this.#leadIn, ...framed];
    if (ids.length === 0) return undefined;
    const { width } = this.text;
    const rows = new Float32Array(ids.length * width);
    ids.forEach((id, row) => {
      rows.set(this.text.embeddingOf(id), row * width);
    });
    return ndarray(rows, [1, ids.length, width]);
  }
}
