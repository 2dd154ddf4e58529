import type { Registry } from '@palimpsest/harness';
import type { z } from 'zod';
import type { ExitCode } from './exit.js';
import type { Interrupts } from './interrupts.js';
import type { Aliases, OptionSchema, Values } from './options/index.js';
import type { Output } from './terminal/output.js';

/** What a verb gets besides its options. */
export interface VerbContext {
  readonly output: Output;
  /** The mechanisms of the house and those that plugins brought. */
  readonly registry: Registry;
  readonly interrupts: Interrupts;
  /** Aborted by Ctrl-C: save, stop, and return `interrupted`. */
  readonly signal: AbortSignal;
  /** Keys of the options that the user set; the others have their defaults. */
  readonly given: ReadonlySet<string>;
  /** Those of them that a flag or a configuration file set, rather than a preset. */
  readonly asked: ReadonlySet<string>;
  /** The preset that was asked for, or the usual one. */
  readonly preset?: string | undefined;
  /** Whether that preset is the usual one, because none was asked for. */
  readonly usual?: boolean;
}

/** A positional argument, as in `palimpsest info <checkpoint>`. */
export interface VerbArgument {
  readonly name: string;
  readonly description: string;
  readonly required: boolean;
}

/** One verb of the command line: its options as a schema, and the call into a package that does the work. */
export interface Verb<S extends OptionSchema = OptionSchema> {
  /** Words of the command, as in ['train', 'osam']. */
  readonly path: readonly string[];
  readonly description: string;
  readonly arguments?: readonly VerbArgument[];
  readonly schema: S;
  /** Further spellings of flags, by option. */
  readonly aliases?: Aliases;
  /** Named sets of values, chosen with `--preset`. */
  readonly presets?: Readonly<Record<string, Values>>;
  /** What every preset is, in a sentence, for the help. */
  readonly presetHelp?: Readonly<Record<string, string>>;
  /** The preset that holds when none is asked for, with what it has to be for the other options. Default: none */
  usual?(options: z.output<S>, asked: ReadonlySet<string>): { preset: string; values: Values } | undefined;
  /** Options that the help shows without `--help-all`. Default: every one. */
  readonly basic?: readonly string[];
  /** Examples for the help, complete commands. */
  readonly examples?: readonly string[];
  run(options: z.output<S>, context: VerbContext, positional: readonly string[]): Promise<ExitCode>;
}

/** Keeps a verb's option types while it is stored among others. */
export function defineVerb<S extends OptionSchema>(verb: Verb<S>): Verb {
  return verb as unknown as Verb;
}
