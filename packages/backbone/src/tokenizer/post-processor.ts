import { InputError } from '@palimpsest/tensor-core';
import type { JsonValue } from '../sequence-model.js';
import type { Component } from './component.js';
import { isObject, sequenceOf, unsupported } from './component.js';

/** Adds the ids that frame a text. */
export type Framing = (ids: readonly number[]) => number[];
const FIELD = 'post_processor';

/** The post-processor of a tokenizer.json. @throws InputError for an unsupported type. */
export function postProcessorOf(component: Component | undefined): Framing {
  switch (component?.type) {
    case undefined:
    case 'ByteLevel':
      return (ids) => [...ids];
    case 'Sequence': {
      const steps = sequenceOf(component!, 'processors', FIELD).map(postProcessorOf);
      return (ids) => steps.reduce<readonly number[]>((current, step) => step(current), ids) as number[];
    }
    case 'TemplateProcessing':
      return template(component!);
    default:
      throw unsupported(FIELD, component!.type, ['ByteLevel', 'TemplateProcessing', 'Sequence']);
  }
}

function template({ single, special_tokens: specialTokens }: Component): Framing {
  if (!Array.isArray(single)) throw new InputError("The tokenizer's template has no list 'single'.");
  const parts = (single as JsonValue[]).map((part) => {
    const name = isObject(part) && isObject(part.SpecialToken) ? part.SpecialToken.id : undefined;
    if (name === undefined) return undefined;
    const entry = isObject(specialTokens) ? specialTokens[String(name)] : undefined;
    if (isObject(entry) && Array.isArray(entry.ids)) return entry.ids as number[];
    throw new InputError(
      `The tokenizer's template uses '${String(name)}', which its 'special_tokens' do not define.`,
    );
  });
  return (ids) => parts.flatMap((part) => part ?? ids);
}
