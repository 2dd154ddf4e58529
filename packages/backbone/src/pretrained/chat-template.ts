import { Template } from '@huggingface/jinja';
import { InputError } from '@palimpsest/base';
import type { JsonObject, JsonValue } from '@palimpsest/lm';
import { isObject } from './json-file.js';
import { renderProgram } from './template-interpreter.js';

/** One turn of a conversation. */
export interface ChatMessage {
  /** `system`, `user`, `assistant`, or whatever else the template knows. */
  readonly role: string;
  readonly content: string;
}

export interface ChatOptions {
  /** End with what begins the assistant's turn. Default true. */
  readonly addGenerationPrompt?: boolean;
  /** Further variables of the template. */
  readonly variables?: JsonObject;
}

/**
 * The chat template of a checkpoint: turns a conversation into the text that the model was trained on, as Jinja2 renders it.
 */
export class ChatTemplate {
  readonly #template: Template;
  readonly #tokens: Readonly<Record<string, string>>;

  /**
   * @param source Jinja program
   * @param tokenizerConfig parsed `tokenizer_config.json`; its `*_token` entries are variables of the template
   * @param file for messages
   * @throws InputError when the program cannot be parsed.
   */
  constructor(
    readonly source: string,
    tokenizerConfig: JsonObject,
    private readonly file = 'The chat template',
  ) {
    try {
      this.#template = new Template(source);
    } catch (error) {
      throw new InputError(`${file} cannot be parsed as a chat template: ${(error as Error).message}.`);
    }
    this.#tokens = Object.fromEntries(
      Object.entries(tokenizerConfig).flatMap(([key, entry]) => {
        const text = isObject(entry) ? entry.content : entry;
        return key.endsWith('_token') && typeof text === 'string' ? [[key, text]] : [];
      }),
    );
  }

  /** @throws InputError when the template refuses the conversation. */
  render(messages: readonly ChatMessage[], options: ChatOptions = {}): string {
    const { addGenerationPrompt = true, variables = {} } = options;
    try {
      return renderProgram(this.#template, {
        ...this.#tokens,
        ...variables,
        messages: messages.map((message) => ({ ...message })),
        add_generation_prompt: addGenerationPrompt,
      });
    } catch (error) {
      throw new InputError(`${this.file} refuses this conversation: ${(error as Error).message}.`);
    }
  }

  /**
   * What follows an assistant's reply when the conversation goes on: the end of its turn, and the next messages. A memory that
   * keeps a conversation reads this in place of everything that was said, so that a turn costs the same after any number of them.
   * @throws InputError when the template refuses the messages, or does not show replies.
   */
  renderBehindReply(messages: readonly ChatMessage[], options: ChatOptions = {}): string {
    const before = [
      { role: 'user', content: '.' },
      { role: 'assistant', content: REPLY },
    ];
    const text = this.render([...before, ...messages], options);
    const at = text.lastIndexOf(REPLY);
    if (at >= 0) return text.slice(at + REPLY.length);
    throw new InputError(`${this.file} shows no reply of the assistant, so nothing can be put behind one.`);
  }
}

/** Stands for a reply whose text the template shall not look at: no white space, no digits, no letters. */
const REPLY = '\u{F8FE}\u{F8FF}\u{F8FE}';

/** The template of a folder: `chat_template.jinja`, or the entry of tokenizer_config.json, or none. */
export function findChatTemplate(
  jinja: string | undefined,
  tokenizerConfig: JsonObject,
  folder: string,
): ChatTemplate | undefined {
  if (jinja !== undefined) return new ChatTemplate(jinja, tokenizerConfig, `${folder}/chat_template.jinja`);
  const source = defaultTemplate(tokenizerConfig.chat_template);
  // An empty one would leave nothing of a conversation.
  return source === undefined || source.trim() === ''
    ? undefined
    : new ChatTemplate(source, tokenizerConfig, `${folder}/tokenizer_config.json: 'chat_template'`);
}

/** A template may be a text, or a list of named ones or an object of them, of which `default` counts. */
function defaultTemplate(entry: JsonValue | undefined): string | undefined {
  if (typeof entry === 'string') return entry;
  if (isObject(entry)) return typeof entry.default === 'string' ? entry.default : undefined;
  if (!Array.isArray(entry)) return undefined;
  const named = (entry as JsonValue[]).filter(isObject);
  const chosen = named.find(({ name }) => name === 'default') ?? named[0];
  return typeof chosen?.template === 'string' ? chosen.template : undefined;
}
