import { InputError } from '@palimpsest/tensor-core';
import type { JsonObject, JsonValue } from '../sequence-model.js';

/** One part of a tokenizer.json: a `type` and its options. */
export interface Component {
  readonly type: string;
  readonly [option: string]: JsonValue | undefined;
}

export const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The component of a field, or nothing for null. @throws InputError when it is not a component. */
export function componentOf(value: JsonValue | undefined, field: string): Component | undefined {
  if (value === null || value === undefined) return undefined;
  if (isObject(value) && typeof value.type === 'string') return value as Component;
  throw new InputError(`The tokenizer's '${field}' has no 'type'.`);
}

/** The components of a list inside a `Sequence`. */
export function sequenceOf(component: Component, key: string, field: string): Component[] {
  const list = component[key];
  if (!Array.isArray(list))
    throw new InputError(`The tokenizer's '${field}' of type Sequence has no list '${key}'.`);
  return list.flatMap((item) => componentOf(item as JsonValue, field) ?? []);
}

export function unsupported(field: string, type: string, supported: readonly string[]): InputError {
  return new InputError(
    `The tokenizer's '${field}' is of type '${type}', which is not supported; supported are ${supported.join(', ')}.`,
  );
}

/** A string option. @throws InputError when it is missing. */
export function textOption(component: Component, key: string, field: string): string {
  const value = component[key];
  if (typeof value === 'string') return value;
  throw new InputError(`The tokenizer's '${field}' of type ${component.type} has no text '${key}'.`);
}
