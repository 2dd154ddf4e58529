import type { Component } from './component.js';
import { sequenceOf, textOption, unsupported } from './component.js';
import { patternOf } from './pattern.js';

export type TextMap = (text: string) => string;
const FIELD = 'normalizer';
const FORMS = ['NFC', 'NFD', 'NFKC', 'NFKD'] as const;
type Form = (typeof FORMS)[number];

/** The normaliser of a tokenizer.json; none leaves texts as they are. @throws InputError for an unsupported type. */
export function normaliserOf(component: Component | undefined): TextMap {
  if (!component) return (text) => text;
  if (FORMS.includes(component.type as Form)) return (text) => text.normalize(component.type as Form);
  if (component.type === 'Sequence') {
    const steps = sequenceOf(component, 'normalizers', FIELD).map(normaliserOf);
    return (text) => steps.reduce((current, step) => step(current), text);
  }
  if (component.type === 'Prepend') {
    const prefix = textOption(component, 'prepend', FIELD);
    return (text) => (text === '' ? text : prefix + text);
  }
  if (component.type === 'Replace') {
    const pattern = patternOf(component.pattern, FIELD);
    const content = textOption(component, 'content', FIELD);
    return (text) => text.replace(pattern, () => content);
  }
  throw unsupported(FIELD, component.type, ['Sequence', 'Prepend', 'Replace', ...FORMS]);
}
