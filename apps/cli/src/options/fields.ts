import { z } from 'zod';

/** What a schema's field says about its flag, given with `.meta()`. */
export interface FlagMeta {
  readonly description: string;
  /** Other spellings of the flag, without dashes: those of the reference program. */
  readonly aliases?: readonly string[];
  /** Name of the value in the help, as in `--steps <count>`. Default: the kind of value. */
  readonly value?: string;
  /** For an option that other programs have and that changes nothing here: why. */
  readonly inert?: string;
}

/** One option as the schema defines it. */
export interface Field {
  /** Name in configuration files and in code. */
  readonly key: string;
  /** Flag without dashes, in the form that differs from the default: `no-value-path`. */
  readonly flag: string;
  readonly kind: 'number' | 'string' | 'boolean' | 'choice';
  readonly choices: readonly string[];
  readonly defaultValue: unknown;
  readonly meta: FlagMeta;
}

/** A schema from which flags, defaults, help and messages come. */
export type OptionSchema = z.ZodObject;

/** Reads the options out of a schema. @throws Error for a field without a description or of a kind flags cannot give. */
export function fieldsOf(schema: OptionSchema): Field[] {
  return Object.entries(schema.shape).map(([key, type]) => fieldOf(key, type as z.ZodType));
}

function fieldOf(key: string, type: z.ZodType): Field {
  const meta = type.meta() as FlagMeta | undefined;
  if (meta?.description === undefined) throw new Error(`The option '${key}' has no description.`);
  let inner = type;
  let defaultValue: unknown;
  while (inner instanceof z.ZodDefault || inner instanceof z.ZodOptional) {
    if (inner instanceof z.ZodDefault) defaultValue = inner.def.defaultValue;
    inner = inner.unwrap() as z.ZodType;
  }
  const kind = kindOf(key, inner);
  const flag = `${kind === 'boolean' && defaultValue === true ? 'no-' : ''}${kebab(key)}`;
  const choices = inner instanceof z.ZodEnum ? inner.options.map(String) : [];
  return { key, flag, kind, choices, defaultValue, meta };
}

function kindOf(key: string, type: z.ZodType): Field['kind'] {
  if (type instanceof z.ZodNumber) return 'number';
  if (type instanceof z.ZodBoolean) return 'boolean';
  if (type instanceof z.ZodEnum) return 'choice';
  if (type instanceof z.ZodString) return 'string';
  throw new Error(`The option '${key}' is neither a number, a text, a choice nor a switch.`);
}

function kebab(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}
