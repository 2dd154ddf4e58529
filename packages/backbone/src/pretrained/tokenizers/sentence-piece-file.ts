import { InputError } from '@palimpsest/base';
import { type Field, fieldsOf, ProtobufError } from './protobuf.js';
import { tokenTypes } from './sentence-piece-parts.js';

export interface Piece {
  readonly text: string;
  readonly score: number;
  readonly type: number;
}

/** What a `tokenizer.model` says, with the defaults of its format. */
export interface SentencePieceFile {
  readonly pieces: readonly Piece[];
  readonly kind: 'BPE' | 'Unigram';
  readonly byteFallback: boolean;
  /** Names of the special pieces. */
  readonly begin: string;
  readonly end: string;
  readonly unknown: string;
  readonly padding: string;
  /** Name of the normalisation. */
  readonly normalizer: string;
  /** Its map of characters; empty for none. */
  readonly characterMap: Uint8Array;
  readonly addsPrefix: boolean;
  readonly removesBlanks: boolean;
}

/** Numbers of the fields that are read, in the messages of `sentencepiece_model.proto`. */
const model = { pieces: 1, trainer: 2, normalizer: 3, denormalizer: 5 } as const;
const piece = { text: 1, score: 2, type: 3 } as const;
const trainer = {
  kind: 3,
  blankBehind: 24,
  byteFallback: 35,
  unknown: 45,
  begin: 46,
  end: 47,
  padding: 48,
} as const;
const normalizer = { name: 1, characterMap: 2, addsPrefix: 3, removesBlanks: 4, marksBlanks: 5 } as const;

/** Kinds of models by their number; the first is the default. */
const kinds = ['unigram', 'bpe', 'word', 'char'] as const;
/** Characters of the longest piece; real ones have some dozens. */
const LONGEST_PIECE = 512;

/**
 * Reads a `tokenizer.model` of SentencePiece.
 * @param path for messages
 * @throws InputError when the file is damaged or none of the kind, or asks for what is not supported.
 */
export function readSentencePieceFile(bytes: Uint8Array, path: string): SentencePieceFile {
  try {
    return parse(bytes, path);
  } catch (error) {
    if (!(error instanceof ProtobufError)) throw error;
    throw new InputError(
      `${path} cannot be read as a SentencePiece model: it ${error.message}; it is damaged or of another format.`,
    );
  }
}

function parse(bytes: Uint8Array, path: string): SentencePieceFile {
  const top = new Message(bytes, 'model');
  const pieces = top.all(model.pieces).map(pieceOf);
  if (pieces.length === 0) throw new ProtobufError('has no pieces');
  const trained = top.message(model.trainer, 'trainer_spec');
  const normal = top.message(model.normalizer, 'normalizer_spec');
  refuseDenormaliser(top.message(model.denormalizer, 'denormalizer_spec'), path);
  if (trained.flag(trainer.blankBehind, false)) {
    throw new ProtobufError(
      "puts blanks behind words ('treat_whitespace_as_suffix'), which is not supported",
    );
  }
  if (!normal.flag(normalizer.marksBlanks, true)) {
    throw new InputError(
      `${path} keeps blanks unmarked ('escape_whitespaces' is off), which is not supported.`,
    );
  }
  return {
    pieces,
    kind: kindOf(trained.integer(trainer.kind, 1), path),
    byteFallback: trained.flag(trainer.byteFallback, false),
    unknown: trained.text(trainer.unknown, '<unk>'),
    begin: trained.text(trainer.begin, '<s>'),
    end: trained.text(trainer.end, '</s>'),
    padding: trained.text(trainer.padding, '<pad>'),
    normalizer: normal.text(normalizer.name, ''),
    characterMap: normal.bytes(normalizer.characterMap) ?? new Uint8Array(0),
    addsPrefix: normal.flag(normalizer.addsPrefix, true),
    removesBlanks: normal.flag(normalizer.removesBlanks, true),
  };
}

function pieceOf(value: Field['value'], id: number): Piece {
  const message = new Message(bytesOf(value, `piece ${id}`), `piece ${id}`);
  const text = message.text(piece.text, '');
  const score = message.float(piece.score);
  const type = message.integer(piece.type, tokenTypes.normal);
  if (text === '') throw new ProtobufError(`has no text for piece ${id}`);
  if (text.length > LONGEST_PIECE) {
    throw new ProtobufError(`has a piece ${id} of ${text.length} characters, more than ${LONGEST_PIECE}`);
  }
  if (!Number.isFinite(score)) throw new ProtobufError(`gives piece ${id} the score ${score}`);
  if (!Object.values<number>(tokenTypes).includes(type)) {
    throw new ProtobufError(`gives piece ${id} the type ${type}, which there is not`);
  }
  return { text, score, type };
}

function kindOf(number: number, path: string): SentencePieceFile['kind'] {
  const name = kinds[number - 1];
  if (name === 'bpe') return 'BPE';
  if (name === 'unigram') return 'Unigram';
  throw new InputError(`${path} is a model of the kind '${name ?? number}'; supported are bpe and unigram.`);
}

function refuseDenormaliser(spec: Message, path: string): void {
  if ((spec.bytes(normalizer.characterMap)?.length ?? 0) === 0) return;
  throw new InputError(
    `${path} changes decoded texts by the denormaliser '${spec.text(normalizer.name, '')}', which is not supported.`,
  );
}

/** A message whose fields are asked for by number and kind; of a field that is there twice the last counts. */
class Message {
  readonly #fields = new Map<number, Field['value'][]>();

  constructor(
    bytes: Uint8Array,
    private readonly name: string,
  ) {
    for (const { number, value } of fieldsOf(bytes)) {
      const list = this.#fields.get(number);
      if (list) list.push(value);
      else this.#fields.set(number, [value]);
    }
  }

  all(number: number): readonly Field['value'][] {
    return this.#fields.get(number) ?? [];
  }

  bytes(number: number): Uint8Array | undefined {
    const value = this.all(number).at(-1);
    return value === undefined ? undefined : bytesOf(value, this.#nameOf(number));
  }

  message(number: number, name: string): Message {
    return new Message(this.bytes(number) ?? new Uint8Array(0), name);
  }

  text(number: number, absent: string): string {
    const bytes = this.bytes(number);
    if (bytes === undefined) return absent;
    try {
      return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    } catch {
      throw new ProtobufError(`has bytes that are no UTF-8 in ${this.#nameOf(number)}`);
    }
  }

  integer(number: number, absent: number): number {
    const value = this.all(number).at(-1);
    if (value === undefined) return absent;
    if (typeof value === 'bigint') return Number(value);
    throw new ProtobufError(`has no whole number in ${this.#nameOf(number)}`);
  }

  flag(number: number, absent: boolean): boolean {
    return this.integer(number, absent ? 1 : 0) !== 0;
  }

  float(number: number): number {
    const value = this.all(number).at(-1);
    if (value === undefined) return 0;
    if (value instanceof DataView && value.byteLength === 4) return value.getFloat32(0, true);
    throw new ProtobufError(`has no single-precision number in ${this.#nameOf(number)}`);
  }

  #nameOf(number: number): string {
    return `field ${number} of its ${this.name}`;
  }
}

function bytesOf(value: Field['value'], name: string): Uint8Array {
  if (value instanceof Uint8Array) return value;
  throw new ProtobufError(`has a number in place of ${name}`);
}
