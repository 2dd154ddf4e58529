import { InputError } from '@palimpsest/tensor-core';
import type { JsonObject, JsonValue } from '../sequence-model.js';
import { AddedTokenFinder, parseAddedTokens } from './added-tokens.js';
import { BytePairModel } from './byte-pair-model.js';
import { componentOf, isObject } from './component.js';
import { normaliserOf } from './normaliser.js';
import { type Framing, postProcessorOf } from './post-processor.js';
import { preTokenizerOf, type Splitter } from './pre-tokenizer.js';
import { type TokenDecoder, tokenDecoderOf } from './token-decoder.js';

const REPLACEMENT = '\ufffd';

export interface EncodeOptions {
  /** Add what the tokenizer's template puts around a text, such as a begin token. Default false. */
  readonly addSpecialTokens?: boolean;
}

export interface DecodeOptions {
  /** Leave special tokens out. Default true. */
  readonly skipSpecialTokens?: boolean;
}

/**
 * The tokenizer of a checkpoint folder: byte-pair models of the byte-level family (GPT-2, Qwen2, Llama 3) and of the
 * SentencePiece family (Llama 2), token for token as the original library. It has the shape of a tokenizer of
 * `@palimpsest/lm`.
 */
export class PretrainedTokenizer {
  readonly kind = 'hugging-face';
  /** Largest id + 1. */
  readonly vocabSize: number;
  /** Stands before the first token when a prompt is empty. */
  readonly startId: number;
  readonly endId?: number;
  readonly #model: BytePairModel;
  readonly #finder: AddedTokenFinder;
  readonly #split: Splitter;
  readonly #frame: Framing;
  readonly #decode: TokenDecoder;
  readonly #tokens = new Map<number, string>();
  readonly #ids = new Map<string, number>();
  readonly #special = new Set<number>();

  /**
   * @param tokenizer parsed `tokenizer.json`
   * @param config parsed `tokenizer_config.json`; names the tokens that begin and end a text
   * @throws InputError naming the part that is missing or not supported.
   */
  constructor(
    readonly tokenizer: JsonObject,
    readonly config: JsonObject = {},
  ) {
    if (!isObject(tokenizer)) throw new InputError('A tokenizer.json is an object, but this is none.');
    this.#model = new BytePairModel(tokenizer.model);
    const added = parseAddedTokens(tokenizer.added_tokens);
    this.#finder = new AddedTokenFinder(added, normaliserOf(componentOf(tokenizer.normalizer, 'normalizer')));
    this.#split = preTokenizerOf(componentOf(tokenizer.pre_tokenizer, 'pre_tokenizer'));
    this.#frame = postProcessorOf(componentOf(tokenizer.post_processor, 'post_processor'));
    this.#decode = tokenDecoderOf(componentOf(tokenizer.decoder, 'decoder'));
    for (const [token, id] of this.#model.tokenIds) this.#register(token, id);
    for (const { content, id, special } of added) {
      this.#register(content, id);
      if (special) this.#special.add(id);
    }
    let largest = -1;
    for (const id of this.#tokens.keys()) largest = Math.max(largest, id);
    this.vocabSize = largest + 1;
    const end = this.#idOfEntry(config.eos_token);
    if (end !== undefined) this.endId = end;
    this.startId = this.#idOfEntry(config.bos_token) ?? this.#frame([])[0] ?? end ?? this.encode(' ')[0] ?? 0;
  }

  encode(text: string, { addSpecialTokens = false }: EncodeOptions = {}): Int32Array {
    const ids: number[] = [];
    for (const piece of this.#finder.split(text)) {
      if ('token' in piece) ids.push(piece.token.id);
      else
        for (const word of this.#split([piece.text])) for (const id of this.#model.encode(word)) ids.push(id);
    }
    return Int32Array.from(addSpecialTokens ? this.#frame(ids) : ids);
  }

  decode(ids: ArrayLike<number>, { skipSpecialTokens = true }: DecodeOptions = {}): string {
    const tokens: string[] = [];
    for (let i = 0; i < ids.length; i++) {
      const token = this.#tokens.get(ids[i]!);
      if (token === undefined || (skipSpecialTokens && this.#special.has(ids[i]!))) continue;
      tokens.push(token);
    }
    return this.#decode(tokens).join('');
  }

  /** The id of a token, or nothing. */
  idOf(token: string): number | undefined {
    return this.#ids.get(token);
  }

  /**
   * Decodes piece by piece; an unfinished character waits for its other bytes. Some decoders drop the blank of the first
   * token, so the former piece is decoded again with the new one and only what comes after it is given out.
   */
  streamingDecoder(): { push(id: number): string; flush(): string } {
    let certain: number[] = [];
    let waiting: number[] = [];
    const rest = () => this.decode([...certain, ...waiting]).slice(this.decode(certain).length);
    const release = (text: string) => {
      certain = waiting;
      waiting = [];
      return text;
    };
    return {
      push: (id) => {
        waiting.push(id);
        const text = rest();
        return text === '' || text.endsWith(REPLACEMENT) ? '' : release(text);
      },
      flush: () => release(rest()),
    };
  }

  /** What a checkpoint stores. */
  toJSON(): { kind: 'hugging-face'; tokenizer: JsonObject; config: JsonObject } {
    return { kind: this.kind, tokenizer: this.tokenizer, config: this.config };
  }

  #register(token: string, id: number): void {
    this.#tokens.set(id, token);
    this.#ids.set(token, id);
  }

  #idOfEntry(entry: JsonValue | undefined): number | undefined {
    const content = isObject(entry) ? entry.content : entry;
    return typeof content === 'string' ? this.#ids.get(content) : undefined;
  }
}
