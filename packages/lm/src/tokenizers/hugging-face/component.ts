import { InputError } from '@palimpsest/base';
import type { JsonObject, JsonValue } from '../../sequence-model.js';

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
  throw new InputError(`The tokenizer's '${field}' is no component: it has no text 'type'.`);
}

/** The components of a list inside a `Sequence`. */
export function sequenceOf(component: Component, key: string, field: string): Component[] {
  const list = component[key];
  if (!Array.isArray(list)) {
    throw new InputError(`The tokenizer's '${field}' of type Sequence has no list '${key}'.`);
  }
  return list.flatMap((item) => componentOf(item as JsonValue, `${field}.${key}`) ?? []);
}

export function unsupported(field: string, type: string, supported: readonly string[]): InputError {
  return new InputError(
    `The tokenizer's '${field}' is of type '${type}', which is not supported; supported are ${supported.join(', ')}.`,
  );
}

/** The error for an option that is missing or of another kind. */
function wrongOption(component: Component, key: string, field: string, expected: string): InputError {
  return new InputError(
    `The tokenizer's '${field}' of type ${component.type} needs ${expected} '${key}', not ${JSON.stringify(component[key])}.`,
  );
}

/** A text option. @throws InputError when it is missing and has no default, or is no text. */
export function textOption(component: Component, key: string, field: string, initial?: string): string {
  const value = component[key] ?? initial;
  if (typeof value === 'string') return value;
  throw wrongOption(component, key, field, 'a text');
}

/** An option of one Unicode character. @throws InputError for anything else. */
export function characterOption(component: Component, key: string, field: string, initial?: string): string {
  const value = textOption(component, key, field, initial);
  if ([...value].length === 1) return value;
  throw wrongOption(component, key, field, 'one character');
}

/** A yes-or-no option. @throws InputError when it is neither, or missing without a default. */
export function flagOption(component: Component, key: string, field: string, initial?: boolean): boolean {
  const value = component[key] ?? initial;
  if (typeof value === 'boolean') return value;
  throw wrongOption(component, key, field, 'true or false as');
}

/** A count option. @throws InputError for anything but an integer of at least `least`. */
export function countOption(component: Component, key: string, field: string, least = 0): number {
  const value = component[key];
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= least) return value;
  throw wrongOption(component, key, field, `a whole number of at least ${least} as`);
}
