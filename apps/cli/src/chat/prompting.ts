import type { LanguageModel } from '@palimpsest/harness';

/** What a line makes the model read. */
export interface Prompt {
  readonly ids: ArrayLike<number>;
  /** The ids stand behind what the memory holds; otherwise they are everything. */
  readonly keepContext: boolean;
}

/** How the lines of a conversation become ids. */
export interface Prompting {
  /**
   * @param fresh the line shall stand alone
   * @param isEmpty the memory has read nothing
   */
  read(line: string, fresh: boolean, isEmpty: boolean): Prompt;
  /** Tells what the model wrote: all ids it drew, and their text. */
  replied(ids: readonly number[], text: string): void;
  /** The memory was emptied, or replaced by another one: later lines stand behind whatever it holds. */
  forget(): void;
}

/** With the model's chat template when it has one, else line by line as they are. */
export function createPrompting(language: LanguageModel): Prompting {
  return language.chatTemplate ? new TemplatePrompting(language) : plainPrompting(language);
}

function plainPrompting({ encodeStart, tokenizer }: LanguageModel): Prompting {
  return {
    read: (line, fresh, isEmpty) => ({
      ids: fresh || isEmpty ? encodeStart(line) : tokenizer.encode(line),
      keepContext: !fresh,
    }),
    replied() {},
    forget() {},
  };
}

interface Turn {
  readonly role: 'user' | 'assistant';
  readonly content: string;
}

/**
 * Renders the whole conversation with the chat template for every line, and reads only what the memory has not read yet.
 * When the model's own ids are not those of its text, or the template changed a former turn, everything is read again.
 */
class TemplatePrompting implements Prompting {
  #turns: Turn[] = [];
  /** Ids that the memory has read of these turns. */
  #read: number[] = [];
  /** The memory holds more than these turns: it cannot be read again. */
  #isBehind = false;

  constructor(private readonly language: LanguageModel) {}

  read(line: string, fresh: boolean): Prompt {
    if (fresh) this.#restart(false);
    this.#turns.push({ role: 'user', content: line });
    let ids = this.#render();
    const goesOn = this.#read.every((id, index) => ids[index] === id);
    if (goesOn) {
      const unread = ids.slice(this.#read.length);
      this.#read = ids;
      return { ids: unread, keepContext: !fresh };
    }
    if (this.#isBehind) {
      this.#turns = this.#turns.slice(-1);
      ids = this.#render();
    }
    this.#read = ids;
    return { ids, keepContext: this.#isBehind };
  }

  replied(ids: readonly number[], text: string): void {
    for (const id of ids) this.#read.push(id);
    this.#turns.push({ role: 'assistant', content: text });
  }

  forget(): void {
    this.#restart(true);
  }

  #restart(isBehind: boolean): void {
    this.#turns = [];
    this.#read = [];
    this.#isBehind = isBehind;
  }

  #render(): number[] {
    const { chatTemplate, tokenizer } = this.language;
    return Array.from(tokenizer.encode(chatTemplate!.render(this.#turns)));
  }
}
