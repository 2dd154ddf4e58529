import { InputError } from '@palimpsest/base';
import type { JsonValue } from '../../sequence-model.js';
import type { Component } from './component.js';
import { isObject, sequenceOf, unsupported } from './component.js';

/** Adds the ids that frame a text. */
export type Framing = (ids: readonly number[]) => number[];
type Make = (component: Component) => Framing;

const FIELD = 'post_processor';
const unframed: Framing = (ids) => [...ids];

const makers: Readonly<Record<string, Make>> = {
  ByteLevel: () => unframed,
  TemplateProcessing: template,
  BertProcessing: classified,
  RobertaProcessing: classified,
  Sequence: (component) => {
    const steps = sequenceOf(component, 'processors', FIELD).map(postProcessorOf);
    return (ids) => steps.reduce<number[]>((current, step) => step(current), [...ids]);
  },
};

/** The post-processor of a tokenizer.json. @throws InputError for an unsupported type. */
export function postProcessorOf(component: Component | undefined): Framing {
  if (!component) return unframed;
  const make = Object.hasOwn(makers, component.type) ? makers[component.type] : undefined;
  if (!make) throw unsupported(FIELD, component.type, Object.keys(makers));
  return make(component);
}

const isId = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

/** BERT and RoBERTa: one token before the text, one after it. */
function classified(component: Component): Framing {
  const idOf = (key: string) => {
    const pair = component[key];
    const id = Array.isArray(pair) ? (pair as JsonValue[])[1] : undefined;
    if (isId(id)) return id;
    throw new InputError(
      `The tokenizer's '${FIELD}.${key}' is ${JSON.stringify(pair)}, expected a token and its id.`,
    );
  };
  const [first, last] = [idOf('cls'), idOf('sep')];
  return (ids) => [first, ...ids, last];
}

function template({ single, special_tokens: specialTokens }: Component): Framing {
  if (!Array.isArray(single)) throw new InputError("The tokenizer's template has no list 'single'.");
  const parts = (single as JsonValue[]).map((part) => partOf(part, specialTokens));
  return (ids) => parts.flatMap((part) => part ?? ids);
}

/** The ids that a part of a template stands for, or nothing for the text itself. */
function partOf(part: JsonValue, specialTokens: JsonValue | undefined): number[] | undefined {
  if (isObject(part) && isObject(part.Sequence)) return undefined;
  const name = isObject(part) && isObject(part.SpecialToken) ? part.SpecialToken.id : undefined;
  if (typeof name !== 'string') {
    throw new InputError(
      `The tokenizer's template has the part ${JSON.stringify(part)}, expected a Sequence or a SpecialToken.`,
    );
  }
  const entry =
    isObject(specialTokens) && Object.hasOwn(specialTokens, name) ? specialTokens[name] : undefined;
  if (isObject(entry) && Array.isArray(entry.ids) && (entry.ids as JsonValue[]).every(isId)) {
    return entry.ids as number[];
  }
  throw new InputError(
    `The tokenizer's template uses '${name}', which its 'special_tokens' do not define with a list of ids.`,
  );
}
