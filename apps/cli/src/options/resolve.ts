import { parseJson, readRegularFile, systemReason } from '@palimpsest/base';
import { nearestName } from '@palimpsest/harness';
import { InputError } from '@palimpsest/tensor-core';
import type { z } from 'zod';
import type { Field, OptionSchema } from './fields.js';

export type Values = Record<string, unknown>;

export interface OptionSources {
  /** Values of the flags that were given, as commander collected them: text or booleans. */
  readonly flags: Values;
  /** Path of a JSON file with any of the schema's keys. */
  readonly configPath?: string | undefined;
  /** Values of the chosen preset. */
  readonly preset?: Values | undefined;
}

export interface Resolved<S extends OptionSchema> {
  readonly options: z.output<S>;
  /** Keys that a preset, a file or a flag set; the others have their defaults. */
  readonly given: ReadonlySet<string>;
  /** Those of them that a file or a flag set: what was asked for by name. */
  readonly asked: ReadonlySet<string>;
}

/**
 * Merges an option's sources, weakest first: the schema's default, the preset, the configuration file, the flag.
 * @throws InputError with one sentence for an unknown key or a value that does not fit.
 */
export function resolveOptions<S extends OptionSchema>(
  schema: S,
  fields: readonly Field[],
  sources: OptionSources,
): Resolved<S> {
  const fromFile = sources.configPath === undefined ? {} : readConfig(sources.configPath, fields);
  const byName = { ...fromFile, ...parseFlags(sources.flags, fields) };
  const values = { ...sources.preset, ...byName };
  const known = Object.fromEntries(Object.entries(values).filter(([key]) => key in schema.shape));
  const result = schema.safeParse(known);
  if (result.success) {
    const asked = new Set(Object.keys(byName));
    return { options: result.data, given: new Set(Object.keys(known)), asked };
  }
  const issue = result.error.issues[0]!;
  const field = fields.find(({ key }) => key === issue.path[0]);
  if (field === undefined) throw new InputError(`the options: ${lowerFirst(issue.message)}.`);
  const value = known[field.key];
  if (value === undefined) throw new InputError(`--${field.flag} is needed: ${field.meta.description}.`);
  throw new InputError(`--${field.flag}: ${lowerFirst(issue.message)} (given: ${JSON.stringify(value)}).`);
}

/** Turns the text of flags into the values that the schema expects. */
function parseFlags(flags: Values, fields: readonly Field[]): Values {
  const entries = fields
    .filter(({ key }) => flags[key] !== undefined)
    .map((field) => [field.key, parseFlag(field, flags[field.key])]);
  return Object.fromEntries(entries);
}

function parseFlag(field: Field, given: unknown): unknown {
  if (given === true && field.meta.bare !== undefined) return field.meta.bare;
  if (typeof given !== 'string') return given;
  if (field.kind === 'number') return parseNumber(field, given);
  if (field.kind === 'value')
    return given.trim() === '' || Number.isNaN(Number(given)) ? given : Number(given);
  if (field.kind === 'list') return given.split(',').map((part) => parseNumber(field, part));
  if (field.kind === 'names') return given.split(',').map((part) => part.trim());
  return given;
}

function parseNumber(field: Field, text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value)) {
    const expected = field.kind === 'list' ? 'numbers with commas between them' : 'a number';
    throw new InputError(`--${field.flag} needs ${expected}, but '${text}' was given.`);
  }
  return value;
}

function readConfig(path: string, fields: readonly Field[]): Values {
  const json = parseJson(readText(path), `The configuration file '${path}'`);
  if (typeof json !== 'object' || json === null || Array.isArray(json)) {
    throw new InputError(`The configuration file '${path}' must hold one JSON object.`);
  }
  for (const key of Object.keys(json)) {
    // Plugins were loaded before there were fields: they may bring the command itself.
    if (key !== 'plugin' && !fields.some((field) => field.key === key))
      throw new InputError(unknownKey(path, key, fields));
  }
  return json as Values;
}

function readText(path: string): string {
  try {
    return new TextDecoder().decode(readRegularFile(path));
  } catch (error) {
    throw new InputError(`The configuration file '${path}' cannot be read: ${systemReason(error)}.`);
  }
}

function unknownKey(path: string, key: string, fields: readonly Field[]): string {
  const keys = fields.map((field) => field.key);
  const nearest = nearestName(key, keys);
  const hint = nearest === undefined ? `the keys are ${keys.join(', ')}.` : `did you mean '${nearest}'?`;
  return `The configuration file '${path}' has an unknown key '${key}'; ${hint}`;
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}
