/** A field of a protobuf message: a number for those of fixed or variable length, bytes for those with a length. */
export interface Field {
  readonly number: number;
  readonly value: bigint | Uint8Array | DataView;
}

/** Why bytes are no message, as a predicate. */
export class ProtobufError extends Error {}

/** Bytes of the longest whole number. */
const LONGEST = 10;

/**
 * The fields of a protobuf message in their order: `bigint` for whole numbers, `Uint8Array` for texts, bytes and messages,
 * `DataView` for numbers of four or eight bytes. Nothing is copied, and no length is believed before it is compared.
 * @throws ProtobufError when the message is cut off or is none.
 */
export function* fieldsOf(bytes: Uint8Array): Generator<Field> {
  const reader = new Reader(bytes);
  while (!reader.isAtEnd) {
    const key = reader.varint();
    const number = Number(key >> 3n);
    if (number === 0 || number >= 2 ** 29) throw new ProtobufError('has a field without a number');
    yield { number, value: reader.value(Number(key & 7n)) };
  }
}

class Reader {
  #at = 0;

  constructor(private readonly bytes: Uint8Array) {}

  get isAtEnd(): boolean {
    return this.#at >= this.bytes.length;
  }

  varint(): bigint {
    let value = 0n;
    for (let index = 0; index < LONGEST; index++) {
      const byte = this.bytes[this.#at++];
      if (byte === undefined) throw new ProtobufError('is cut off');
      value |= BigInt(byte & 127) << BigInt(7 * index);
      if (byte < 128) return value;
    }
    throw new ProtobufError('has a whole number of more than ten bytes');
  }

  value(wireType: number): Field['value'] {
    if (wireType === 0) return this.varint();
    if (wireType === 2) return this.#take(this.varint());
    if (wireType !== 1 && wireType !== 5) throw new ProtobufError(`has a field of the wire type ${wireType}`);
    const taken = this.#take(wireType === 1 ? 8n : 4n);
    return new DataView(taken.buffer, taken.byteOffset, taken.byteLength);
  }

  #take(length: bigint): Uint8Array {
    if (length > BigInt(this.bytes.length - this.#at)) throw new ProtobufError('is cut off');
    const from = this.#at;
    this.#at += Number(length);
    return this.bytes.subarray(from, this.#at);
  }
}
