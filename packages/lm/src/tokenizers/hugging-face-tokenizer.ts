import { InputError } from '@palimpsest/base';
import type { JsonObject, JsonValue } from '../sequence-model.js';
import { type AddedToken, AddedTokenFinder, parseAddedTokens } from './hugging-face/added-tokens.js';
import { componentOf, isObject } from './hugging-face/component.js';
import { paddingOf, truncationOf } from './hugging-face/fixed-length.js';
import { normalizerOf } from './hugging-face/normalizer.js';
import { type Framing, postProcessorOf } from './hugging-face/post-processor.js';
import { preTokenizerOf, type Splitter } from './hugging-face/pre-tokenizer.js';
import { type TokenDecoder, tokenDecoderOf } from './hugging-face/token-decoder.js';
import type { TokenModel } from './hugging-face/token-model.js';
import { tokenModelOf } from './hugging-face/token-model-of.js';
import type { StreamingDecoder, Tokenizer, TokenizerData } from './tokenizer.js';

/** Milliseconds for which a long text is encoded before others have their turn. */
const TURN = 5;
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
 * A tokenizer of the Hugging Face hub: `tokenizer.json` and, when there is one, `tokenizer_config.json`. Ids are those of the
 * Rust library `tokenizers`; what cannot be done as there is refused by name.
 */
export class HuggingFaceTokenizer implements Tokenizer {
  readonly kind = 'hugging-face';
  /** Largest id + 1. */
  readonly vocabSize: number;
  /** Stands before the first token when a prompt is empty. */
  readonly startId: number;
  readonly endId?: number;
  /** One sentence for each thing that the file states and that may surprise, such as a truncation. */
  readonly remarks: readonly string[];
  readonly #model: TokenModel;
  readonly #finder: AddedTokenFinder;
  readonly #split: Splitter;
  readonly #frame: Framing;
  readonly #decode: TokenDecoder;
  readonly #truncation: ReturnType<typeof truncationOf>;
  readonly #padding: ReturnType<typeof paddingOf>;
  readonly #tokens = new Map<number, string>();
  readonly #ids = new Map<string, number>();
  readonly #special: ReadonlySet<string>;

  /**
   * @param tokenizer parsed `tokenizer.json`
   * @param config parsed `tokenizer_config.json`; names the tokens that begin and end a text
   * @throws InputError naming the part that is missing, damaged or not supported.
   */
  constructor(
    readonly tokenizer: JsonObject,
    readonly config: JsonObject = {},
  ) {
    if (!isObject(tokenizer) || !isObject(tokenizer.model)) {
      throw new InputError("A Hugging Face tokenizer.json has an object 'model', but this has none.");
    }
    this.#model = tokenModelOf(tokenizer.model);
    const { tokens: added, remarks } = parseAddedTokens(tokenizer.added_tokens, this.#model);
    const normalize = normalizerOf(componentOf(tokenizer.normalizer, 'normalizer'));
    this.#finder = new AddedTokenFinder(added, normalize);
    this.#split = preTokenizerOf(componentOf(tokenizer.pre_tokenizer, 'pre_tokenizer'));
    this.#frame = postProcessorOf(componentOf(tokenizer.post_processor, 'post_processor'));
    this.#decode = tokenDecoderOf(componentOf(tokenizer.decoder, 'decoder'));
    this.#truncation = truncationOf(tokenizer.truncation);
    this.#padding = paddingOf(tokenizer.padding);
    this.#register(added, normalize);
    this.#special = new Set(added.filter(({ special }) => special).map(({ content }) => content));
    this.vocabSize = this.#largestId() + 1;
    if (this.vocabSize === 0) throw new InputError("The tokenizer's 'model.vocab' is empty.");
    const end = this.#idOfEntry(config.eos_token);
    if (end !== undefined) this.endId = end;
    this.remarks = [
      ...remarks,
      ...[this.#truncation, this.#padding].flatMap((rule) => (rule ? [rule.remark] : [])),
      ...(end === undefined ? lostEnd(config.eos_token) : []),
    ];
    this.startId = this.#idOfEntry(config.bos_token) ?? this.#frame([])[0] ?? end ?? this.#firstOfBlank();
  }

  encode(text: string, options: EncodeOptions = {}): Int32Array {
    const ids: number[] = [];
    for (const part of this.#parts(text)) for (const id of part) ids.push(id);
    return this.#framed(ids, options);
  }

  async encodeInTurns(text: string, options: EncodeOptions = {}): Promise<Int32Array> {
    const ids: number[] = [];
    let begun = performance.now();
    for (const part of this.#parts(text)) {
      for (const id of part) ids.push(id);
      if (performance.now() - begun < TURN) continue;
      await new Promise((resolve) => setTimeout(resolve));
      begun = performance.now();
    }
    return this.#framed(ids, options);
  }

  /** Ids of the parts of a text, in order. */
  *#parts(text: string): Generator<readonly number[]> {
    for (const piece of this.#finder.split(wellFormed(text))) {
      if ('id' in piece) {
        yield [piece.id];
        continue;
      }
      for (const word of this.#split({ texts: [piece.text], areFirst: piece.at === 0 }).texts) {
        if (this.#model.parts) yield* this.#model.parts(word);
        else yield this.#model.encode(word);
      }
    }
  }

  #framed(ids: number[], { addSpecialTokens = false }: EncodeOptions): Int32Array {
    const framing = addSpecialTokens ? this.#frame([]).length : 0;
    const cut = this.#truncation?.apply(ids, framing) ?? ids;
    const framed = addSpecialTokens ? this.#frame(cut) : cut;
    return Int32Array.from(this.#padding?.apply(framed) ?? framed);
  }

  decode(ids: ArrayLike<number>, { skipSpecialTokens = true }: DecodeOptions = {}): string {
    const tokens: string[] = [];
    for (let i = 0; i < ids.length; i++) {
      const token = this.#tokens.get(ids[i]!);
      if (token === undefined || (skipSpecialTokens && this.#special.has(token))) continue;
      tokens.push(token);
    }
    return this.#decode(tokens).join('');
  }

  /** The id of a token, or nothing. */
  idOf(token: string): number | undefined {
    return this.#ids.get(token);
  }

  /**
   * Characters that become the unknown token, or nothing; where the vocabulary has them, but not the words that they stand
   * in, those words.
   */
  unknownCharacters(text: string): string[] {
    const distinct = [...new Set(wellFormed(text))].filter((character) => character.trim() !== '');
    const alone = distinct.filter((character) => this.#isUnknown(() => this.encode(character)));
    // A character may be known only as the part of a word, so the text itself is asked too.
    if (alone.length === 0) return [];
    const words = this.#unknownWords(text);
    if (this.#model.unknownId !== undefined && words.length === 0) return [];
    const entries = [...this.#ids.keys()];
    const nowhere = alone.filter((character) => !entries.some((entry) => entry.includes(character)));
    return nowhere.length > 0 ? nowhere : words;
  }

  #unknownWords(text: string): string[] {
    const words = new Set<string>();
    for (const piece of this.#finder.split(wellFormed(text))) {
      if ('id' in piece) continue;
      for (const word of this.#split({ texts: [piece.text], areFirst: piece.at === 0 }).texts)
        words.add(word);
    }
    return [...words].filter((word) => this.#isUnknown(() => this.#model.encode(word)));
  }

  #isUnknown(encode: () => ArrayLike<number>): boolean {
    try {
      const ids = Array.from(encode());
      return ids.length === 0 || ids.some((id) => id === this.#model.unknownId);
    } catch {
      return true;
    }
  }

  /**
   * Decodes piece by piece; an unfinished character waits for its other bytes. Some decoders treat the first token of a text
   * differently (they drop its blank), so the former piece is decoded again with the new one and only what comes after it is
   * given out.
   */
  streamingDecoder(): StreamingDecoder {
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

  toJSON(): TokenizerData & { readonly kind: 'hugging-face'; tokenizer: JsonObject; config: JsonObject } {
    return { kind: this.kind, tokenizer: this.tokenizer, config: this.config };
  }

  /** Decoding gives an added token as it is found: in its normalised form, when it is looked for in normalised text. */
  #register(added: readonly AddedToken[], normalize: (text: string) => string): void {
    for (const [token, id] of this.#model.vocabulary) {
      this.#tokens.set(id, token);
      this.#ids.set(token, id);
    }
    this.#model.tokens?.forEach((token, id) => {
      this.#tokens.set(id, token);
    });
    for (const { content, id, normalized } of added) {
      this.#tokens.set(id, normalized ? normalize(content) : content);
      this.#ids.set(content, id);
    }
  }

  #largestId(): number {
    let largest = -1;
    for (const id of this.#tokens.keys()) largest = Math.max(largest, id);
    return largest;
  }

  /** The first id of a blank, or 0 where the tokenizer has none for it. */
  #firstOfBlank(): number {
    try {
      return this.encode(' ')[0] ?? 0;
    } catch {
      return 0;
    }
  }

  #idOfEntry(entry: JsonValue | undefined): number | undefined {
    const content = textOf(entry);
    return content === undefined ? undefined : this.#ids.get(content);
  }
}

/** The text of a token that a configuration names, alone or with its flags. */
function textOf(entry: JsonValue | undefined): string | undefined {
  const content = isObject(entry) ? entry.content : entry;
  return typeof content === 'string' ? content : undefined;
}

/** A remark about an end token that has no id. */
function lostEnd(entry: JsonValue | undefined): string[] {
  const text = textOf(entry);
  if (!text) return [];
  return [
    `The key 'eos_token' names ${JSON.stringify(text)}, which the vocabulary does not have: texts do not end there.`,
  ];
}

/** A text without lone surrogates, which no encoding of Unicode can hold: they become U+FFFD. */
const wellFormed = (text: string) => text.replace(/\p{Surrogate}/gu, REPLACEMENT);
