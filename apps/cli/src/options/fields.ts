import { z } from 'zod';

/** What a schema's field says about its flag, given with `.meta()` or `.describe()`. */
export interface FlagMeta {
  readonly description: string;
  /** Other spellings of the flag, without dashes: those of the reference program. */
  readonly aliases?: readonly string[];
  /** Name of the value in the help, as in `--steps <count>`. Default: the kind of value. */
  readonly value?: string;
  /** What the flag means without a value. Default: it needs one. */
  readonly bare?: number;
  /** For an option that other programs have and that changes nothing here: why. */
  readonly inert?: string;
}

export type FieldKind = 'number' | 'text' | 'switch' | 'choice' | 'list' | 'names' | 'value';

/** One option as the schema defines it. */
export interface Field {
  /** Name in configuration files and in code. */
  readonly key: string;
  /** Flag without dashes; a switch that is on by default has the form that turns it off: `no-value-path`. */
  readonly flag: string;
  readonly kind: FieldKind;
  readonly choices: readonly string[];
  readonly defaultValue: unknown;
  readonly meta: FlagMeta;
}

/** A schema from which flags, defaults, help and messages come. */
export type OptionSchema = z.ZodObject;

/** Spellings to accept besides those that the schema itself names, by key. */
export type Aliases = Readonly<Record<string, readonly string[]>>;

/** Reads the options out of a schema. @throws Error for a field without a description or of a kind flags cannot give. */
export function fieldsOf(schema: OptionSchema, aliases: Aliases = {}): Field[] {
  return Object.entries(schema.shape).map(([key, type]) =>
    fieldOf(key, type as z.ZodType, aliases[key] ?? []),
  );
}

function fieldOf(key: string, type: z.ZodType, moreAliases: readonly string[]): Field {
  const { inner, defaultValue, meta } = unwrap(type);
  if (meta.description === undefined) throw new Error(`The option '${key}' has no description.`);
  const kind = kindOf(key, inner);
  const flag = `${kind === 'switch' && defaultValue === true ? 'no-' : ''}${kebab(key)}`;
  const choices = inner instanceof z.ZodEnum ? inner.options.map(String) : [];
  const aliases = [...(meta.aliases ?? []), ...moreAliases];
  return { key, flag, kind, choices, defaultValue, meta: { ...(meta as FlagMeta), aliases } };
}

/** The type below defaults, optionals and transforms, with the default and the description of the outermost that has one. */
function unwrap(type: z.ZodType): { inner: z.ZodType; defaultValue: unknown; meta: Partial<FlagMeta> } {
  let inner = type;
  let defaultValue: unknown;
  let meta = (inner.meta() ?? {}) as Partial<FlagMeta>;
  while (inner instanceof z.ZodDefault || inner instanceof z.ZodOptional || inner instanceof z.ZodPipe) {
    // The outermost default counts, as it does when the schema parses.
    if (inner instanceof z.ZodDefault) defaultValue ??= inner.def.defaultValue;
    inner = (inner instanceof z.ZodPipe ? inner.in : inner.unwrap()) as z.ZodType;
    meta = { ...((inner.meta() ?? {}) as Partial<FlagMeta>), ...meta };
  }
  return { inner, defaultValue, meta };
}

function kindOf(key: string, type: z.ZodType): FieldKind {
  if (type instanceof z.ZodNumber) return 'number';
  if (type instanceof z.ZodBoolean) return 'switch';
  if (type instanceof z.ZodEnum) return 'choice';
  if (type instanceof z.ZodString) return 'text';
  if (type instanceof z.ZodArray && type.element instanceof z.ZodNumber) return 'list';
  if (type instanceof z.ZodArray && isName(type.element)) return 'names';
  if (type instanceof z.ZodTuple && type.def.items.every((item) => item instanceof z.ZodNumber))
    return 'list';
  // A name or a number, whichever the text is.
  if (type instanceof z.ZodUnion && type.options.every(isNameOrNumber)) return 'value';
  throw new Error(`The option '${key}' is neither a number, a text, a list of these, a choice nor a switch.`);
}

const isName = (type: unknown) => type instanceof z.ZodString || type instanceof z.ZodEnum;
const isNameOrNumber = (type: unknown) => type instanceof z.ZodEnum || type instanceof z.ZodNumber;

export function kebab(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}
