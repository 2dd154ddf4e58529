import { InputError } from '@palimpsest/base';
import type { GgufFiles } from './gguf-files.js';
import type { GgufValue } from './header.js';

const kinds = {
  number: (value: GgufValue): value is number => typeof value === 'number',
  string: (value: GgufValue): value is string => typeof value === 'string',
  boolean: (value: GgufValue): value is boolean => typeof value === 'boolean',
  strings: (value: GgufValue): value is readonly string[] =>
    Array.isArray(value) && value.every((item) => typeof item === 'string'),
  numbers: (value: GgufValue): value is readonly number[] =>
    Array.isArray(value) && value.every((item) => typeof item === 'number'),
} as const;
interface Values {
  number: number;
  string: string;
  boolean: boolean;
  strings: readonly string[];
  numbers: readonly number[];
}
type Kind = keyof Values;

/** Metadata of a GGUF file by key and kind, so that a wrong one is named. */
export class Metadata {
  readonly source: string;

  constructor(private readonly files: GgufFiles) {
    this.source = files.source;
  }

  /** The value of a key, or nothing. @throws InputError when it is of another kind. */
  find<K extends Kind>(key: string, kind: K): Values[K] | undefined {
    const value = this.files.metadata.get(key);
    if (value === undefined) return undefined;
    const isKind = kinds[kind] as (value: GgufValue) => value is Values[K] & GgufValue;
    if (isKind(value)) return value;
    throw new InputError(
      `${this.source}: the key '${key}' is ${JSON.stringify(value)?.slice(0, 60)}, expected ${kind === 'strings' || kind === 'numbers' ? `a list of ${kind}` : `a ${kind}`}.`,
    );
  }

  /** @throws InputError when the key is missing or of another kind. */
  need<K extends Kind>(key: string, kind: K): Values[K] {
    const value = this.find(key, kind);
    if (value !== undefined) return value;
    throw new InputError(`${this.source}: the key '${key}' is missing.`);
  }

  /** A number that some files state once and others for every layer. @throws InputError when layers differ. */
  shared(key: string): number | undefined {
    const value = this.files.metadata.get(key);
    if (!Array.isArray(value)) return this.find(key, 'number');
    const list = this.need(key, 'numbers');
    if (list.every((item) => item === list[0])) return list[0];
    throw new InputError(
      `${this.source}: the key '${key}' differs from layer to layer (${list.slice(0, 4).join(', ')}, …), which is not supported.`,
    );
  }

  /** The texts of all keys that begin alike, by what follows. */
  textsUnder(prefix: string): Map<string, string> {
    const found = [...this.files.metadata].filter(([key]) => key.startsWith(prefix));
    return new Map(
      found.flatMap(([key, value]) => (typeof value === 'string' ? [[key.slice(prefix.length), value]] : [])),
    );
  }
}
