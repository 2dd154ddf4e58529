import { InputError } from '@palimpsest/base';
import type { TextMap } from './normalizer.js';

const encoder = new TextEncoder();

/** Bytes of the longest grapheme that is looked up as a whole. */
const LONGEST = 5;
const GRAPHEMES = new Intl.Segmenter('und', { granularity: 'grapheme' });

/**
 * The character map of a SentencePiece model: a double array (Aoe 1989, in the layout of darts-clone) from byte sequences to
 * places in a block of zero-ended replacements.
 */
class CharacterMap {
  constructor(
    private readonly units: Uint32Array,
    private readonly replacements: Uint8Array,
  ) {}

  /** The replacement of the shortest sequence that a chunk begins with, as in the original; nothing when there is none. */
  find(chunk: Uint8Array): string | undefined {
    let unit = this.units[0]!;
    let place = offsetOf(unit);
    for (const byte of chunk) {
      if (byte === 0) return undefined;
      place ^= byte;
      unit = this.units[place] ?? 0;
      if ((unit & 0x800000ff) >>> 0 !== byte) return undefined;
      place ^= offsetOf(unit);
      if ((unit >>> 8) & 1) return this.#replacement((this.units[place] ?? 0) & 0x7fffffff);
    }
    return undefined;
  }

  #replacement(start: number): string {
    const end = this.replacements.indexOf(0, start);
    return new TextDecoder().decode(
      this.replacements.subarray(start, end < 0 ? this.replacements.length : end),
    );
  }
}

const offsetOf = (unit: number) => (unit >>> 10) << ((unit & 0x200) >>> 6);

/**
 * The normaliser of a `precompiled_charsmap`: graphemes of up to five bytes are looked up as they are, then the characters
 * of a grapheme one by one.
 * @throws InputError when the map is no base64 or cut off.
 */
export function precompiledMap(base64: string): TextMap {
  const map = parse(base64);
  const memory = new Map<string, string>();
  const replace = (chunk: string): string | undefined => map.find(encoder.encode(chunk));
  const ofGrapheme = (grapheme: string): string => {
    const whole = encoder.encode(grapheme).length <= LONGEST ? replace(grapheme) : undefined;
    if (whole !== undefined) return whole;
    return Array.from(grapheme, (character) => replace(character) ?? character).join('');
  };
  return (text) => {
    let result = '';
    for (const { segment } of GRAPHEMES.segment(text)) {
      let mapped = memory.get(segment);
      if (mapped === undefined) {
        mapped = ofGrapheme(segment);
        if (memory.size < 10_000) memory.set(segment, mapped);
      }
      result += mapped;
    }
    return result;
  };
}

function parse(base64: string): CharacterMap {
  const wrong = (what: string) =>
    new InputError(`The tokenizer's 'normalizer.precompiled_charsmap' ${what}; the file is damaged.`);
  let bytes: Uint8Array;
  try {
    bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  } catch {
    throw wrong('is not base64');
  }
  const size = bytes.length >= 4 ? new DataView(bytes.buffer).getUint32(0, true) : 0;
  if (size === 0 || size % 4 !== 0 || 4 + size > bytes.length) throw wrong('is cut off');
  return new CharacterMap(new Uint32Array(bytes.slice(4, 4 + size).buffer), bytes.subarray(4 + size));
}
