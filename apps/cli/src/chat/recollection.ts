import type { OpenTextMemory, RecalledText, Tokenizer } from '@palimpsest/lm';

/** What stood before the last turn. */
export interface Recalled {
  /** In the order in which they were told: what corrects another text comes after it. */
  readonly texts: readonly RecalledText[];
  /** Tokens that they took. */
  readonly tokens: number;
}

export interface RecollectionOptions {
  readonly memory: OpenTextMemory;
  readonly folder: string;
  readonly tokenizer: Pick<Tokenizer, 'encode'>;
  /** Most tokens of the texts before a turn. */
  readonly budget: number;
  /** Newest tokens of a conversation that the model sees; what stands among them is not put there again. */
  readonly sight: number;
  /** A line before the texts, for models that were taught to follow instructions. */
  readonly heading?: string | undefined;
}

/** Where a turn stands in its conversation. */
interface Place {
  /** Tokens that the model has read. */
  readonly position: number;
  /** The turn stands alone: nothing was read before it. */
  readonly fresh: boolean;
}

/** Texts that are looked at for one turn. */
const LOOKED = 64;

/** Puts before every turn what a memory of texts finds for it, and keeps what is said. */
export class Recollection {
  #last: Recalled = { texts: [], tokens: 0 };
  readonly #readAt = new Map<string, number>();

  constructor(private readonly options: RecollectionOptions) {}

  /** What was found for the last turn. */
  get last(): Recalled {
    return this.#last;
  }

  get budget(): number {
    return this.options.budget;
  }

  /** Where the texts are, and how many. */
  get about(): string {
    const { folder, memory } = this.options;
    return `${memory.size} texts in '${folder}'`;
  }

  /**
   * What stands before a turn: the best texts that fit into the budget and are not in sight already. The lines of the turn itself are
   * then remembered.
   */
  async before(said: string, { position, fresh }: Place): Promise<string> {
    if (fresh || position === 0) this.forget();
    const { memory, sight } = this.options;
    const lines = linesOf(said);
    const inSight = new Set(lines.map(normal));
    for (const [text, at] of this.#readAt) if (position - at < sight) inSight.add(text);
    const found = await memory.search(said, { k: LOOKED });
    this.#last = this.#fitting(found.filter(({ text }) => !inSight.has(normal(text))));
    for (const line of lines) await memory.add(line);
    for (const text of [...this.#last.texts.map((one) => one.text), ...lines])
      this.#readAt.set(normal(text), position);
    return this.#block(this.#last.texts);
  }

  /** The conversation begins anew, or goes on elsewhere: nothing is known to be in sight. The texts stay. */
  forget(): void {
    this.#readAt.clear();
  }

  close(): Promise<void> {
    return this.options.memory.close();
  }

  #fitting(found: readonly RecalledText[]): Recalled {
    let chosen: Recalled = { texts: [], tokens: 0 };
    for (const text of found) {
      const texts = [...chosen.texts, text].sort((a, b) => a.id - b.id);
      const tokens = this.options.tokenizer.encode(this.#block(texts)).length;
      if (tokens <= this.options.budget) chosen = { texts, tokens };
    }
    return chosen;
  }

  #block(texts: readonly RecalledText[]): string {
    if (texts.length === 0) return '';
    const { heading } = this.options;
    const lines = texts.map(({ text }) => `${text}\n`).join('');
    return heading === undefined ? lines : `${heading}\n${lines}\n`;
  }
}

/** What is kept of what was said: its lines. */
export const linesOf = (said: string): string[] => said.split('\n').filter((line) => line.trim() !== '');

/** A text for comparison: spaces and case do not count. */
const normal = (text: string): string => text.trim().replaceAll(/\s+/g, ' ').toLowerCase();
