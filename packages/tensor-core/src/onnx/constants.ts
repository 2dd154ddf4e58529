import { sizeOf } from '@palimpsest/base';
import type protobuf from 'protobufjs/minimal.js';
import type { StoredArray } from '../stored-array.js';
import { ONNX_TYPE } from '../trace/emit.js';
import type { ConstantData, Value } from '../trace/graph.js';
import { message, tag, text } from './wire.js';

/** Data of a tensor that a model refers to instead of holding it. */
export interface ExternalTensor {
  /** Name of the tensor in the model. */
  readonly name: string;
  /** File that holds it. */
  readonly location: string;
  /** Place in the file, in bytes. */
  readonly offset: number;
  readonly data: Uint8Array;
}

/** A place outside of the message. */
export interface ExternalPlace extends Pick<ExternalTensor, 'location' | 'offset'> {
  /** The data is there already. Default false. */
  readonly isWritten?: boolean;
  /** What else the runtime wrote about it. */
  readonly notes?: Readonly<Record<string, string>> | undefined;
}

/** Where the data of a constant goes: a place outside of the message, or nothing for a place in it. */
export type PlaceConstant = (
  name: string,
  bytes: number,
  stored: StoredArray | undefined,
) => ExternalPlace | undefined;

const EXTERNAL = 1;

/**
 * Writes a constant (TensorProto). Data with a place outside of the message is left out: the writer copies the whole message
 * at every write beyond 1 GiB, and no message can be longer than 2 GiB.
 */
export function writeConstant(
  writer: protobuf.Writer,
  name: string,
  value: Value,
  place: PlaceConstant,
): ExternalTensor | undefined {
  for (const extent of value.shape) writer.uint32(tag(1)).int64(extent);
  writer.uint32(tag(2)).int32(ONNX_TYPE[value.dtype]);
  text(writer, 8, name);
  const { stored } = value;
  const data = stored ? undefined : bytesOf(dataOf(value));
  const byteLength = stored?.byteLength ?? data!.byteLength;
  const outside = place(name, byteLength, stored);
  if (!outside) {
    writer.uint32(tag(9, 2)).bytes(data ?? stored!.read());
    return undefined;
  }
  const { location, offset, isWritten, notes } = outside;
  const entries = { location, offset, length: byteLength, ...notes };
  for (const [key, entry] of Object.entries(entries)) {
    message(writer, 13, (part) => {
      text(part, 1, key);
      text(part, 2, String(entry));
    });
  }
  writer.uint32(tag(14)).int32(EXTERNAL);
  return isWritten ? undefined : { name, location, offset, data: data ?? stored!.read() };
}

/** Data of a constant in memory; a fill becomes its repeated number. */
function dataOf({ data, fill, shape, dtype }: Value): ConstantData {
  if (data) return data;
  const size = sizeOf(shape);
  if (dtype === 'int32') return new Int32Array(size).fill(fill!);
  if (dtype === 'bool') return new Uint8Array(size).fill(fill!);
  return new Float32Array(size).fill(fill!);
}

function bytesOf(data: ConstantData): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}
