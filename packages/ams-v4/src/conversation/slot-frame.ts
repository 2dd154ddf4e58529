import { type NDArray, ndarray } from '@palimpsest/tensor-core';
import type { TextModel } from '../model/text-model.js';
import type { ConversationConfig } from './config.js';

/**
 * Slots of memories as a model reads them without any training: each memory is a shortened line of the conversation, its content
 * tokens between the tokens that open and close a line (DERIVATION.md, "Pointer slots").
 */
export class SlotFrame {
  readonly #opening: readonly number[];
  readonly #closing: readonly number[];

  constructor(
    private readonly text: TextModel,
    { memoryForm }: ConversationConfig,
  ) {
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
   * @returns `[1, positions, width]`; nothing without memories
   */
  prefix(memories: readonly (readonly number[])[]): NDArray | undefined {
    if (memories.length === 0) return undefined;
    const ids = memories.flatMap((content) => [...this.#opening, ...content, ...this.#closing]);
    const { width } = this.text;
    const rows = new Float32Array(ids.length * width);
    ids.forEach((id, row) => {
      rows.set(this.text.embeddingOf(id), row * width);
    });
    return ndarray(rows, [1, ids.length, width]);
  }
}
