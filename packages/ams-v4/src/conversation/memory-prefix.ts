import type { MemStore } from '@palimpsest/fiber-geometry';
import type { NDArray } from '@palimpsest/tensor-core';
import { joinRows } from '../key-values/token-rows.js';
import type { TextModel } from '../model/text-model.js';
import type { ConversationConfig } from './config.js';
import type { KvBank } from './kv-bank.js';
import type { MemoryPrefix } from './memory-records.js';
import { SlotFrame } from './slot-frame.js';

/** Puts memories before prompts: their keys and values, or the embeddings of their slots. */
export class PrefixMaker {
  readonly #frame: SlotFrame;

  constructor(
    private readonly text: TextModel,
    private readonly config: ConversationConfig,
    private readonly store: MemStore,
    private readonly bank: KvBank,
    private readonly leadIn: NDArray<'float32'> | undefined,
  ) {
    this.#frame = new SlotFrame(text, config);
  }

  /** What stands before a prompt for memories, best first: the lead-in, and as many as fit, the best one always. */
  of(memories: readonly number[]): MemoryPrefix {
    const slotsOf = (mid: number) => this.store.get(mid)!.contentTokenIds;
    if (this.config.prefixMode === 'slots') {
      const fitting = this.#fitting(memories, (mid) => this.#frame.positions(slotsOf(mid)));
      const softPrefix = this.#frame.prefix(fitting.map(slotsOf));
      return { positions: softPrefix?.shape[1] ?? 0, ...(softPrefix && { softPrefix }) };
    }
    const fitting = this.#fitting(memories, (mid) => this.bank.tokens(mid));
    const parts = this.leadIn ? [this.leadIn] : [];
    if (fitting.length > 0) parts.push(this.bank.rowsOf(fitting));
    if (parts.length === 0) return { positions: 0 };
    const rows = joinRows(parts);
    return { rows, positions: rows.shape[0]! };
  }

  /** Continues prompts, each behind its prefix: all at once where keys and values are put before them. */
  async continue(
    prompts: readonly (readonly number[])[],
    prefixes: readonly MemoryPrefix[],
    maxTokens: number,
  ): Promise<number[][]> {
    if (this.config.prefixMode === 'kv') {
      return this.text.continue(prompts, maxTokens, { before: prefixes.map(({ rows }) => rows) });
    }
    const ids: number[][] = [];
    for (const [i, prompt] of prompts.entries()) {
      const { softPrefix } = prefixes[i]!;
      ids.push((await this.text.continue([prompt], maxTokens, softPrefix ? { softPrefix } : {}))[0]!);
    }
    return ids;
  }

  /** Memories that fit into the prefix, best last; the best one always. */
  #fitting(bestFirst: readonly number[], sizeOf: (mid: number) => number): number[] {
    const fitting: number[] = [];
    let positions = 0;
    for (const mid of bestFirst) {
      positions += sizeOf(mid);
      if (fitting.length > 0 && positions > this.config.lMem) break;
      fitting.unshift(mid);
    }
    return fitting;
  }
}
