import { floatToHalf, halvesToFloats } from '@palimpsest/base';
import { type NDArray, ndarray } from '@palimpsest/tensor-core';

/** The tokens of a text, and the places of those whose keys and values are kept. */
export interface RowTokens {
  readonly ids: readonly number[];
  readonly places: readonly number[];
}

/** Turns rows of keys and values into bytes and back; every row has the same number of bytes. */
export interface RowCodec {
  readonly name: string;
  readonly bytesPerRow: number;
  /**
   * @param rows `[tokens, width]`
   * @param tokens of the texts that they are of, one text behind the other
   */
  encode(rows: NDArray, tokens: readonly RowTokens[]): Uint8Array;
  /** @returns `[tokens, width]` */
  decode(bytes: Uint8Array, tokens: readonly RowTokens[]): NDArray<'float32'>;
}

/** A form that needs to know nothing of the tokens. */
export interface PlainRowCodec extends RowCodec {
  encode(rows: NDArray): Uint8Array;
  decode(bytes: Uint8Array): NDArray<'float32'>;
}

const bytesOf = (data: ArrayBufferView): Uint8Array =>
  new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
/** A copy whose start is aligned for any type. */
const aligned = (bytes: Uint8Array): ArrayBuffer => bytes.slice().buffer as ArrayBuffer;

export function floatCodec(width: number): PlainRowCodec {
  return {
    name: 'f32',
    bytesPerRow: 4 * width,
    encode: ({ data }) => bytesOf(Float32Array.from(data)),
    decode: (bytes) => {
      const data = new Float32Array(aligned(bytes));
      return ndarray(data, [data.length / width, width]);
    },
  };
}

export function halfCodec(width: number): PlainRowCodec {
  return {
    name: 'f16',
    bytesPerRow: 2 * width,
    encode: ({ data }) => bytesOf(Uint16Array.from(data, floatToHalf)),
    decode: (bytes) => {
      const data = halvesToFloats(new Uint16Array(aligned(bytes)));
      return ndarray(data, [data.length / width, width]);
    },
  };
}

/**
 * Whole numbers of 8 or 4 bits with one float32 scale per group, max|x| / (2^(bits−1) − 1). A group is what one head of one layer holds
 * of one kind.
 */
export function integerCodec(width: number, group: number, bits: 8 | 4): PlainRowCodec {
  const most = 2 ** (bits - 1) - 1;
  const groups = width / group;
  const packed = (width * bits) / 8;
  const bytesPerRow = 4 * groups + packed;
  const encodeRow = (row: ArrayLike<number>, view: DataView, at: number) => {
    for (let g = 0; g < groups; g++) {
      let largest = 0;
      for (let i = 0; i < group; i++) largest = Math.max(largest, Math.abs(row[g * group + i]!));
      const scale = Math.fround(largest / most);
      view.setFloat32(at + 4 * g, scale, true);
      for (let i = 0; i < group; i++) {
        const place = g * group + i;
        const level = scale === 0 ? 0 : Math.max(-most, Math.min(most, Math.round(row[place]! / scale)));
        if (bits === 8) view.setInt8(at + 4 * groups + place, level);
        else {
          const byte = at + 4 * groups + (place >> 1);
          const half = (level & 15) << (4 * (place & 1));
          view.setUint8(byte, place & 1 ? view.getUint8(byte) | half : half);
        }
      }
    }
  };
  const levelAt = (view: DataView, at: number, place: number): number => {
    if (bits === 8) return view.getInt8(at + place);
    const half = (view.getUint8(at + (place >> 1)) >> (4 * (place & 1))) & 15;
    return half > most ? half - 16 : half;
  };
  return {
    name: `int${bits}`,
    bytesPerRow,
    encode: ({ data, shape }) => {
      const bytes = new Uint8Array(shape[0]! * bytesPerRow);
      const view = new DataView(bytes.buffer);
      for (let row = 0; row < shape[0]!; row++) {
        encodeRow(data.slice(row * width, (row + 1) * width), view, row * bytesPerRow);
      }
      return bytes;
    },
    decode: (bytes) => {
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      const rows = bytes.length / bytesPerRow;
      const data = new Float32Array(rows * width);
      for (let row = 0; row < rows; row++) {
        const at = row * bytesPerRow;
        for (let place = 0; place < width; place++) {
          const scale = view.getFloat32(at + 4 * Math.floor(place / group), true);
          data[row * width + place] = scale * levelAt(view, at + 4 * groups, place);
        }
      }
      return ndarray(data, [rows, width]);
    },
  };
}
