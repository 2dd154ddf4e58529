/** The printable character that stands for each byte in byte-level vocabularies (Radford et al. 2019). */
export const characterOfByte: readonly string[] = makeAlphabet();
const byteOfCharacter = new Map(characterOfByte.map((character, byte) => [character, byte]));

const encoder = new TextEncoder();

function makeAlphabet(): string[] {
  const isPrintable = (byte: number) =>
    (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || (byte >= 174 && byte <= 255);
  let others = 0;
  return Array.from({ length: 256 }, (_, byte) => {
    if (isPrintable(byte)) return String.fromCodePoint(byte);
    others += 1;
    return String.fromCodePoint(255 + others);
  });
}

/** The UTF-8 bytes of a text in the printable alphabet. */
export function toByteCharacters(text: string): string {
  let result = '';
  for (const byte of encoder.encode(text)) result += characterOfByte[byte]!;
  return result;
}

/** Bytes of tokens; a token with a character outside the alphabet (an added one) gives its own UTF-8. */
export function bytesOfTokens(tokens: readonly string[]): Uint8Array {
  const bytes: number[] = [];
  for (const token of tokens) {
    const own = Array.from(token, (character) => byteOfCharacter.get(character));
    const isInAlphabet = own.every((byte) => byte !== undefined);
    for (const byte of isInAlphabet ? (own as number[]) : encoder.encode(token)) bytes.push(byte);
  }
  return Uint8Array.from(bytes);
}

/** UTF-8 to text: invalid bytes become U+FFFD, and a byte order mark is a character like others. */
export const decodeUtf8 = (bytes: Uint8Array): string =>
  new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes);

/** UTF-8 to text, or nothing when the bytes are not UTF-8. */
export function decodeStrictUtf8(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { ignoreBOM: true, fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}
