import { bytesOfTokens, decodeStrictUtf8, decodeUtf8 } from './byte-alphabet.js';
import type { Component } from './component.js';
import {
  characterOption,
  countOption,
  flagOption,
  sequenceOf,
  textOption,
  unsupported,
} from './component.js';
import { prependSchemeOf } from './pre-tokenizer.js';
import { patternOf, replaceMatches } from './text-pattern.js';

/** Turns tokens into pieces of text, which joined are the text. */
export type TokenDecoder = (tokens: readonly string[]) => readonly string[];
type Make = (component: Component) => TokenDecoder;

const FIELD = 'decoder';

const makers: Readonly<Record<string, Make>> = {
  ByteLevel: () => (tokens) => [decodeUtf8(bytesOfTokens(tokens))],
  Sequence: (component) => {
    const steps = sequenceOf(component, 'decoders', FIELD).map(tokenDecoderOf);
    return (tokens) => steps.reduce((current, step) => step(current), tokens);
  },
  Replace: (component) => {
    const pattern = patternOf(component.pattern, FIELD);
    const content = textOption(component, 'content', FIELD);
    return (tokens) => tokens.map((token) => replaceMatches(token, pattern, content));
  },
  ByteFallback: () => byteFallback,
  Fuse: () => (tokens) => [tokens.join('')],
  Strip: strip,
  Metaspace: metaspace,
  WordPiece: wordPiece,
  BPEDecoder: (component) => {
    const suffix = textOption(component, 'suffix', FIELD, '</w>');
    return (tokens) =>
      tokens.map((token, index) => token.replaceAll(suffix, index === tokens.length - 1 ? '' : ' '));
  },
  CTC: timeClasses,
};

/** The decoder of a tokenizer.json; none puts blanks between tokens. @throws InputError for an unsupported type. */
export function tokenDecoderOf(component: Component | undefined): TokenDecoder {
  if (!component) return (tokens) => [tokens.join(' ')];
  const make = Object.hasOwn(makers, component.type) ? makers[component.type] : undefined;
  if (!make) throw unsupported(FIELD, component.type, Object.keys(makers));
  return make(component);
}

/** Joins runs of `<0xHH>` to characters; every byte of a run that is not UTF-8 becomes U+FFFD. */
function byteFallback(tokens: readonly string[]): string[] {
  const result: string[] = [];
  let run: number[] = [];
  const flush = () => {
    if (run.length === 0) return;
    const text = decodeStrictUtf8(Uint8Array.from(run));
    // One by one: as arguments of one call, a long run overflows the stack.
    if (text === undefined) for (const _byte of run) result.push('\ufffd');
    else result.push(text);
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
  const content = characterOption(component, 'content', FIELD);
  const [start, stop] = [countOption(component, 'start', FIELD), countOption(component, 'stop', FIELD)];
  return (tokens) =>
    tokens.map((token) => {
      let [from, to] = [0, token.length];
      for (let i = 0; i < start && token.startsWith(content, from); i++) from += content.length;
      for (let i = 0; i < stop && to > from && token.slice(from, to).endsWith(content); i++) {
        to -= content.length;
      }
      return token.slice(from, to);
    });
}

/** Marks become blanks, except in the first token, where a mark stood before the text. */
function metaspace(component: Component): TokenDecoder {
  const mark = characterOption(component, 'replacement', FIELD);
  const isPrepended = prependSchemeOf(component, FIELD) !== 'never';
  return (tokens) =>
    tokens.map((token, index) => token.replaceAll(mark, index === 0 && isPrepended ? '' : ' '));
}

function wordPiece(component: Component): TokenDecoder {
  const prefix = textOption(component, 'prefix', FIELD, '##');
  const cleans = flagOption(component, 'cleanup', FIELD, true);
  const joined = (token: string, index: number) => {
    if (index === 0) return token;
    return token.startsWith(prefix) ? token.slice(prefix.length) : ` ${token}`;
  };
  return (tokens) => tokens.map(joined).map((token) => (cleans ? cleanUp(token) : token));
}

/** Connectionist temporal classification (Graves et al. 2006): repeated tokens once, pads out, delimiters to blanks. */
function timeClasses(component: Component): TokenDecoder {
  const pad = textOption(component, 'pad_token', FIELD, '<pad>');
  const delimiter = textOption(component, 'word_delimiter_token', FIELD, '|');
  const cleans = flagOption(component, 'cleanup', FIELD, true);
  return (tokens) =>
    tokens
      .filter((token, index) => token !== tokens[index - 1])
      .map((token) => token.replaceAll(pad, ''))
      .map((token) => (cleans ? cleanUp(token).replaceAll(delimiter, ' ') : token))
      .filter((token) => token !== '');
}

/** Blanks of tokenization that English does not write. */
const BLANKS = [
  [' .', '.'],
  [' ?', '?'],
  [' !', '!'],
  [' ,', ','],
  [" ' ", "'"],
  [" n't", "n't"],
  [" 'm", "'m"],
  [' do not', " don't"],
  [" 's", "'s"],
  [" 've", "'ve"],
  [" 're", "'re"],
] as const;

const cleanUp = (text: string) => BLANKS.reduce((current, [from, to]) => current.replaceAll(from, to), text);
