import { bytesOfTokens, decodeStrictUtf8, decodeUtf8 } from './byte-alphabet.js';
import type { Component } from './component.js';
import { sequenceOf, textOption, unsupported } from './component.js';
import { patternOf } from './pattern.js';

/** Turns tokens into pieces of text, which joined are the text. */
export type TokenDecoder = (tokens: readonly string[]) => string[];
const FIELD = 'decoder';

/** The decoder of a tokenizer.json; none puts blanks between tokens. @throws InputError for an unsupported type. */
export function tokenDecoderOf(component: Component | undefined): TokenDecoder {
  switch (component?.type) {
    case undefined:
      return (tokens) => [tokens.join(' ')];
    case 'ByteLevel':
      return (tokens) => [decodeUtf8(bytesOfTokens(tokens))];
    case 'Sequence': {
      const steps = sequenceOf(component!, 'decoders', FIELD).map(tokenDecoderOf);
      return (tokens) =>
        steps.reduce<readonly string[]>((current, step) => step(current), tokens) as string[];
    }
    case 'Replace': {
      const pattern = patternOf(component!.pattern, FIELD);
      const content = textOption(component!, 'content', FIELD);
      return (tokens) => tokens.map((token) => token.replace(pattern, () => content));
    }
    case 'ByteFallback':
      return byteFallback;
    case 'Fuse':
      return (tokens) => [tokens.join('')];
    case 'Strip':
      return strip(component!);
    default:
      throw unsupported(FIELD, component!.type, [
        'ByteLevel',
        'Sequence',
        'Replace',
        'ByteFallback',
        'Fuse',
        'Strip',
      ]);
  }
}

/** Joins runs of `<0xHH>` to characters; every byte of a run that is not UTF-8 becomes U+FFFD. */
function byteFallback(tokens: readonly string[]): string[] {
  const result: string[] = [];
  let run: number[] = [];
  const flush = () => {
    if (run.length === 0) return;
    result.push(decodeStrictUtf8(Uint8Array.from(run)) ?? '\ufffd'.repeat(run.length));
    run = [];
  };
  for (const token of tokens) {
    const byte = /^<0x([0-9A-Fa-f]{2})>$/.exec(token)?.[1];
    if (byte !== undefined) {
      run.push(Number.parseInt(byte, 16));
      continue;
    }
    flush();
    result.push(token);
  }
  flush();
  return result;
}

/** Takes up to `start` and `stop` copies of a character off both ends of every piece. */
function strip(component: Component): TokenDecoder {
  const content = textOption(component, 'content', FIELD);
  const limit = (key: string) => Number(component[key] ?? 0);
  return (tokens) =>
    tokens.map((token) => {
      let [from, to] = [0, token.length];
      for (let i = 0; i < limit('start') && token.startsWith(content, from); i++) from += content.length;
      for (let i = 0; i < limit('stop') && to > from && token.slice(from, to).endsWith(content); i++) {
        to -= content.length;
      }
      return token.slice(from, to);
    });
}
