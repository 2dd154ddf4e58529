import { behindReply, type LanguageModel } from '@palimpsest/harness';

/** What a line makes the model read. */
export interface Prompt {
  readonly ids: ArrayLike<number>;
  /** The ids stand behind what the memory holds; otherwise they are everything. */
  readonly keepContext: boolean;
}

/** What of the memory a prompt depends on. */
interface Read {
  /** Tokens that it has read. */
  readonly position: number;
  /** The newest of them. */
  readonly lastId?: number | undefined;
}

/** How the lines of a conversation become ids. */
export interface Prompting {
  /** @param fresh the line shall stand alone */
  read(line: string, fresh: boolean, memory: Read): Prompt;
  /** Tells what the model wrote: all ids it drew, and their text. */
  replied(ids: readonly number[], text: string): void;
  /** The memory was emptied, or replaced by another one: later lines stand behind whatever it holds. */
  forget(): void;
}

/**
 * With the model's chat template when it has one, else line by line as they are.
 * @param forgets the memory does not keep the whole conversation, so nothing of it is ever read again
 */
export function createPrompting(language: LanguageModel, forgets = false): Prompting {
  if (!language.chatTemplate) return plainPrompting(language);
  return forgets ? turnByTurn(language) : new WholeConversation(language);
}

function plainPrompting({ encodeStart, tokenizer, lineEnd = '' }: LanguageModel): Prompting {
  return {
    read: (line, fresh, { position }) => ({
      ids: fresh || position === 0 ? encodeStart(line + lineEnd) : tokenizer.encode(line + lineEnd),
      keepContext: !fresh,
    }),
    replied() {},
    forget() {},
  };
}

/** Every line behind what the memory holds, as the template puts it behind a reply. */
function turnByTurn(language: LanguageModel): Prompting {
  return {
    read(line, fresh, { position, lastId }) {
      const turn = [{ role: 'user', content: line }];
      const ids =
        fresh || position === 0
          ? language.tokenizer.encode(language.chatTemplate!.render(turn))
          : behindReply(language, turn, lastId);
      return { ids, keepContext: !fresh };
    },
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
class WholeConversation implements Prompting {
  #turns: Turn[] = [];
  /** Ids that the memory has been given of these turns. */
  #read: number[] = [];
  /** Position of the memory once it has read all of them. */
  #due = 0;
  /** The memory holds more than these turns: it cannot be read again. */
  #isBehind = false;

  constructor(private readonly language: LanguageModel) {}

  read(line: string, fresh: boolean, memory: Read): Prompt {
    if (fresh || memory.position === 0) this.#restart(false);
    if (this.#isBehind) return turnByTurn(this.language).read(line, false, memory);
    this.#turns.push({ role: 'user', content: line });
    const ids = this.#render();
    // Whoever interrupts within a long prompt leaves its rest unread: going on would leave a hole in the memory.
    const isWhole = memory.position >= this.#due;
    const goesOn = isWhole && this.#read.every((id, index) => ids[index] === id);
    const unread = goesOn ? ids.slice(this.#read.length) : ids;
    const keepContext = goesOn && !fresh;
    this.#read = ids;
    this.#due = (keepContext ? memory.position : 0) + unread.length;
    return { ids: unread, keepContext };
  }

  replied(ids: readonly number[], text: string): void {
    if (this.#isBehind) return;
    for (const id of ids) this.#read.push(id);
    this.#due += ids.length;
    this.#turns.push({ role: 'assistant', content: text });
  }

  forget(): void {
    this.#restart(true);
  }

  #restart(isBehind: boolean): void {
    this.#turns = [];
    this.#read = [];
    this.#due = 0;
    this.#isBehind = isBehind;
  }

  #render(): number[] {
    const { chatTemplate, tokenizer } = this.language;
    return Array.from(tokenizer.encode(chatTemplate!.render(this.#turns)));
  }
}
