import { Tokenizer as Library } from '@huggingface/tokenizers';
import { InputError } from '@palimpsest/tensor-core';
import type { JsonObject, JsonValue } from '../sequence-model.js';
import type { StreamingDecoder, Tokenizer, TokenizerData } from './tokenizer.js';

const REPLACEMENT = '\ufffd';

/** A tokenizer of the Hugging Face hub: `tokenizer.json` and, when there is one, `tokenizer_config.json`. */
export class HuggingFaceTokenizer implements Tokenizer {
  readonly kind = 'hugging-face';
  readonly vocabSize: number;
  readonly startId: number;
  readonly endId?: number;
  readonly #library: Library;

  /**
   * @param tokenizer parsed `tokenizer.json`.
   * @param config parsed `tokenizer_config.json`; names the tokens that begin and end a text.
   * @throws InputError when the file is not a tokenizer.
   */
  constructor(
    readonly tokenizer: JsonObject,
    readonly config: JsonObject = {},
  ) {
    if (typeof tokenizer !== 'object' || tokenizer === null || !tokenizer.model) {
      throw new InputError("A Hugging Face tokenizer.json has a field 'model', but this file has none.");
    }
    this.#library = new Library(tokenizer, config);
    let largest = -1;
    for (const id of this.#library.get_vocab(true).values()) largest = Math.max(largest, id);
    this.vocabSize = largest + 1;
    const end = this.#idOf(config.eos_token);
    if (end !== undefined) this.endId = end;
    this.startId = this.#idOf(config.bos_token) ?? end ?? this.encode(' ')[0] ?? 0;
  }

  encode(text: string): Int32Array {
    return Int32Array.from(this.#library.encode(text, { add_special_tokens: false }).ids);
  }

  decode(ids: ArrayLike<number>): string {
    if (ids.length === 0) return '';
    return this.#library.decode(Array.from(ids), {
      skip_special_tokens: true,
      clean_up_tokenization_spaces: false,
    });
  }

  /**
   * Some decoders treat the first token of a text differently (they drop its blank), so the last certain piece is decoded
   * again with the new ids and only what comes after it is given out.
   */
  streamingDecoder(): StreamingDecoder {
    let certain: number[] = [];
    let waiting: number[] = [];
    const rest = () => this.decode([...certain, ...waiting]).slice(this.decode(certain).length);
    const giveOut = (text: string) => {
      certain = waiting;
      waiting = [];
      return text;
    };
    return {
      push: (id) => {
        waiting.push(id);
        const text = rest();
        return text === '' || text.endsWith(REPLACEMENT) ? '' : giveOut(text);
      },
      flush: () => giveOut(rest()),
    };
  }

  toJSON(): TokenizerData {
    return { kind: this.kind, tokenizer: this.tokenizer, config: this.config };
  }

  #idOf(token: JsonValue | undefined): number | undefined {
    const content = typeof token === 'object' && token !== null && 'content' in token ? token.content : token;
    return typeof content === 'string' ? this.#library.token_to_id(content) : undefined;
  }
}
