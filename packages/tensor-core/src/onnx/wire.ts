import type protobuf from 'protobufjs/minimal.js';

const LENGTH_DELIMITED = 2;

/** The number before a field of a message. */
export const tag = (field: number, wireType = 0) => (field << 3) | wireType;

/** Writes an embedded message. */
export function message(
  writer: protobuf.Writer,
  field: number,
  body: (writer: protobuf.Writer) => void,
): void {
  writer.uint32(tag(field, LENGTH_DELIMITED)).fork();
  body(writer);
  writer.ldelim();
}

export function text(writer: protobuf.Writer, field: number, value: string): void {
  writer.uint32(tag(field, LENGTH_DELIMITED)).string(value);
}
