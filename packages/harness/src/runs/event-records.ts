/** A number that is shown over the steps, under a name. */
export interface ScalarEvent {
  /** Seconds since 1970. */
  readonly wallTime: number;
  readonly step: number;
  readonly scalars: Readonly<Record<string, number>>;
}

/** The record that an event file of TensorBoard begins with. */
export function versionRecord(wallTime: number): Buffer {
  return record(Buffer.concat([wallTimeField(wallTime), bytesField(3, Buffer.from('brain.Event:2'))]));
}

/**
 * An event as TensorBoard reads it: a protocol buffer of type `Event` in a record of TFRecord, with the masked CRC-32C of its
 * length and of its data.
 */
export function scalarRecord({ wallTime, step, scalars }: ScalarEvent): Buffer {
  const values = Object.entries(scalars).map(([name, value]) => {
    const simple = Buffer.alloc(5);
    simple[0] = key(2, WIRE_32);
    simple.writeFloatLE(value, 1);
    return bytesField(1, Buffer.concat([bytesField(1, Buffer.from(name)), simple]));
  });
  const stepField = Buffer.from([key(2, WIRE_VARINT), ...varint(step)]);
  return record(Buffer.concat([wallTimeField(wallTime), stepField, bytesField(5, Buffer.concat(values))]));
}

const WIRE_VARINT = 0;
const WIRE_64 = 1;
const WIRE_BYTES = 2;
const WIRE_32 = 5;
const key = (field: number, wire: number) => (field << 3) | wire;

function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  while (rest >= 128) {
    bytes.push((rest % 128) | 128);
    rest = Math.floor(rest / 128);
  }
  return [...bytes, rest];
}

const bytesField = (field: number, data: Buffer) =>
  Buffer.concat([Buffer.from([key(field, WIRE_BYTES), ...varint(data.length)]), data]);

function wallTimeField(seconds: number): Buffer {
  const field = Buffer.alloc(9);
  field[0] = key(1, WIRE_64);
  field.writeDoubleLE(seconds, 1);
  return field;
}

function record(data: Buffer): Buffer {
  const head = Buffer.alloc(12);
  head.writeBigUInt64LE(BigInt(data.length), 0);
  head.writeUInt32LE(maskedCrc(head.subarray(0, 8)), 8);
  const tail = Buffer.alloc(4);
  tail.writeUInt32LE(maskedCrc(data), 0);
  return Buffer.concat([head, data, tail]);
}

/** CRC-32C (Castagnoli), bit-reversed polynomial, by byte. */
const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let rest = byte;
  for (let bit = 0; bit < 8; bit++) rest = rest & 1 ? (rest >>> 1) ^ 0x82f63b78 : rest >>> 1;
  return rest;
});

function maskedCrc(bytes: Buffer): number {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = (crc >>> 8) ^ CRC_TABLE[(crc ^ byte) & 0xff]!;
  crc = ~crc >>> 0;
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}
