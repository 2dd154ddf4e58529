import { type BlockFormat, halfAt } from './block-format.js';
import { kFormats } from './k-block-formats.js';

/** Values of a small block. Of 4 bits, byte i has values i (low half) and i + 16 (high half). */
const VALUES = 32;
const HALF = VALUES / 2;

/** d · (q − zero), or d · q + m where the block has a minimum after its scale. */
interface Nibbles {
  readonly hasMinimum: boolean;
  /** The fifth bits, four bytes before the others. */
  readonly hasFifth: boolean;
}

function nibbles(name: string, { hasMinimum, hasFifth }: Nibbles): BlockFormat {
  const header = hasMinimum ? 4 : 2;
  const quants = header + (hasFifth ? 4 : 0);
  const zero = hasFifth ? 16 : 8;
  return {
    name,
    values: VALUES,
    bytes: quants + HALF,
    dequantise: (bytes, at, into, to) => {
      const scale = halfAt(bytes, at);
      const offset = hasMinimum ? halfAt(bytes, at + 2) : 0;
      readLevels(bytes, at);
      for (let i = 0; i < VALUES; i++) {
        const level = room[i]!;
        // The products are rounded as a reader in single precision rounds them.
        into[to + i] = hasMinimum ? Math.fround(scale * level) + offset : scale * (level - zero);
      }
    },
    ...(!hasMinimum && {
      levelBits: hasFifth ? 5 : 4,
      levels: (bytes: Uint8Array, at: number, into: Int8Array) => {
        readLevels(bytes, at);
        for (let i = 0; i < VALUES; i++) into[i] = room[i]! - zero;
        return halfAt(bytes, at);
      },
    }),
  };

  /** Brings the stored levels of a block, from 0 on, into `room`. */
  function readLevels(bytes: Uint8Array, at: number): void {
    for (let i = 0; i < HALF; i++) {
      const pair = bytes[at + quants + i]!;
      room[i] = pair & 15;
      room[i + HALF] = pair >> 4;
    }
    if (!hasFifth) return;
    for (let i = 0; i < VALUES; i++) room[i]! |= fifthBit(bytes, at + header, i) << 4;
  }
}

const room = new Uint8Array(VALUES);

const fifthBit = (bytes: Uint8Array, at: number, value: number): number =>
  (bytes[at + (value >> 3)]! >> (value & 7)) & 1;

const q8: BlockFormat = {
  name: 'Q8_0',
  values: VALUES,
  bytes: 2 + VALUES,
  dequantise: (bytes, at, into, to) => {
    const scale = halfAt(bytes, at);
    for (let i = 0; i < VALUES; i++) into[to + i] = scale * ((bytes[at + 2 + i]! << 24) >> 24);
  },
  levelBits: 8,
  levels: (bytes, at, into) => {
    for (let i = 0; i < VALUES; i++) into[i] = (bytes[at + 2 + i]! << 24) >> 24;
    return halfAt(bytes, at);
  },
};

/** The block types that are read, by name. */
export const blockFormats: Readonly<Record<string, BlockFormat>> = Object.fromEntries(
  [
    nibbles('Q4_0', { hasMinimum: false, hasFifth: false }),
    nibbles('Q4_1', { hasMinimum: true, hasFifth: false }),
    nibbles('Q5_0', { hasMinimum: false, hasFifth: true }),
    nibbles('Q5_1', { hasMinimum: true, hasFifth: true }),
    q8,
    ...kFormats,
  ].map((format) => [format.name, format]),
);
