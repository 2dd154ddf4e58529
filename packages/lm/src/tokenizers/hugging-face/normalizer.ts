import { toByteCharacters } from './byte-alphabet.js';
import { classOf, combiningMarks, controls, isWhiteSpace, nonspacingMarks } from './character-classes.js';
import type { Component } from './component.js';
import { flagOption, sequenceOf, textOption, unsupported } from './component.js';
import { precompiledMap } from './precompiled-map.js';
import { patternOf, replaceMatches } from './text-pattern.js';
import { unknownDecompositions } from './unicode-gaps.js';

export type TextMap = (text: string) => string;
type Make = (component: Component) => TextMap;

const FIELD = 'normalizer';
const FORMS = ['NFC', 'NFD', 'NFKC', 'NFKD'] as const;

const makers: Readonly<Record<string, Make>> = {
  ...Object.fromEntries(FORMS.map((form) => [form, () => (text: string) => normalForm(text, form)])),
  Sequence: (component) => {
    const steps = sequenceOf(component, 'normalizers', FIELD).map(normalizerOf);
    return (text) => steps.reduce((current, step) => step(current), text);
  },
  Prepend: (component) => {
    const prefix = textOption(component, 'prepend', FIELD);
    return (text) => (text === '' ? text : prefix + text);
  },
  Replace: (component) => {
    const pattern = patternOf(component.pattern, FIELD);
    const content = textOption(component, 'content', FIELD);
    return (text) => replaceMatches(text, pattern, content);
  },
  Lowercase: () => lowerCase,
  StripAccents: () => (text) => text.replace(combiningMarks, ''),
  Strip: (component) => {
    const [left, right] = [
      flagOption(component, 'strip_left', FIELD),
      flagOption(component, 'strip_right', FIELD),
    ];
    return (text) => strip(text, left, right);
  },
  BertNormalizer: bertNormalizer,
  Nmt: () => cleanForTranslation,
  Precompiled: (component) => precompiledMap(textOption(component, 'precompiled_charsmap', FIELD)),
  ByteLevel: () => toByteCharacters,
};

/** The normaliser of a tokenizer.json; none leaves texts as they are. @throws InputError for an unsupported type. */
export function normalizerOf(component: Component | undefined): TextMap {
  if (!component) return (text) => text;
  const make = Object.hasOwn(makers, component.type) ? makers[component.type] : undefined;
  if (!make) throw unsupported(FIELD, component.type, Object.keys(makers));
  return make(component);
}

const undecomposed = new RegExp(`([${classOf(unknownDecompositions)}])`, 'v');

/** A normal form of Unicode, in which characters younger than the library's tables stay as they are. */
function normalForm(text: string, form: (typeof FORMS)[number]): string {
  if (!undecomposed.test(text)) return text.normalize(form);
  const parts = text.split(undecomposed);
  return parts.map((part, index) => (index % 2 === 1 ? part : part.normalize(form))).join('');
}

/** Character by character: without the rule that a sigma at the end of a word has a form of its own. */
function lowerCase(text: string): string {
  return text.replaceAll('\u03a3', '\u03c3').toLowerCase();
}

function strip(text: string, left: boolean, right: boolean): string {
  let [from, to] = [0, text.length];
  while (left && from < to && isWhiteSpace(text[from]!)) from += 1;
  while (right && to > from && isWhiteSpace(text[to - 1]!)) to -= 1;
  return text.slice(from, to);
}

/** What BERT calls a Chinese character; the gap after U+2B81F is the library's. */
const CHINESE =
  /[\u4e00-\u9fff\u3400-\u4dbf\u{20000}-\u{2a6df}\u{2a700}-\u{2b81f}\u{2b920}-\u{2ceaf}\uf900-\ufaff\u{2f800}-\u{2fa1f}]/gu;

/** The cleaning of BERT (Devlin et al. 2019): controls out, white space to blanks, Chinese characters apart, accents off. */
function bertNormalizer(component: Component): TextMap {
  const clean = flagOption(component, 'clean_text', FIELD, true);
  const chinese = flagOption(component, 'handle_chinese_chars', FIELD, true);
  const lower = flagOption(component, 'lowercase', FIELD, true);
  const accents = flagOption(component, 'strip_accents', FIELD, lower);
  return (text) => {
    let result = text;
    if (clean) {
      result = result
        .replace(/[\0\ufffd]/g, '')
        .replace(controls, '')
        .replace(/\p{White_Space}/gu, ' ');
    }
    if (chinese) result = result.replace(CHINESE, ' $& ');
    if (accents) result = normalForm(result, 'NFD').replace(nonspacingMarks, '');
    return lower ? lowerCase(result) : result;
  };
}

/** The cleaning of SentencePiece for translation: controls out, blanks of all kinds to blanks. */
function cleanForTranslation(text: string): string {
  return (
    text
      // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this takes out.
      .replace(/[\x01-\x08\x0b\x0e-\x1f\x7f\x8f\x9f]/g, '')
      .replace(/[\t\n\f\r\u1680\u200b-\u200f\u2028\u2029\u2581\ufeff\ufffd]/g, ' ')
  );
}
