import type { GoldenPart } from '@palimpsest/base/golden';

import type { Engine, NDArray } from '@palimpsest/tensor-core';
import type { z } from 'zod';
import type { Architecture, BaseModel, OpenModel } from './architecture.js';
import type { Inspection } from './inspection.js';
import type { AnySequenceModel } from './sequence-model.js';
import type { Contender } from './tasks/contender.js';
import type { Task } from './tasks/task.js';
import type { Tokenizer } from './tokenizers/tokenizer.js';

/** What is inspected: a trained model and a text that it reads. */
export interface InspectRequest {
  readonly engine: Engine;
  readonly checkpoint: BaseModel;
  readonly text: string;
  /** Most tokens at the end of the text whose reads are shown in detail. */
  readonly readTokens?: number;
  readonly signal?: AbortSignal;
}

/** A rule for what a cache keeps, offered by name to models that have one: `--memory NAME` of the command line. */
export interface EvictionPolicy<Schema extends z.ZodObject = z.ZodObject> {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly options: Schema;
  /** The model with the same weights whose memory forgets by this rule. @throws InputError when it has no such memory. */
  apply(model: AnySequenceModel, options: z.output<Schema>): AnySequenceModel | Promise<AnySequenceModel>;
}

/** A text that a memory of texts found. */
export interface RecalledText {
  readonly id: number;
  readonly text: string;
  /** The higher the better. */
  readonly score: number;
}

/** A memory of texts in use; until it is closed no other process can use its folder. */
export interface OpenTextMemory {
  /** Number of texts. */
  readonly size: number;
  /** Remembers a text; one that is known is not written twice. */
  add(text: string): Promise<{ readonly id: number }>;
  /** Texts for a query, best first, at most `k`. */
  search(query: string, options: { readonly k: number }): Promise<readonly RecalledText[]>;
  close(): Promise<void>;
}

/** A model that speaks, and where what a memory needs over it was trained. */
export interface SpeakingModel {
  readonly engine: Engine;
  readonly model: AnySequenceModel;
  /** On the host. */
  readonly params: unknown;
  readonly tokenizer: Tokenizer;
  readonly endIds: readonly number[];
  /** Folder of trained adapters. */
  readonly adapters: string;
  /** Most positions of what is found. Default: as the adapters say. */
  readonly budget?: number | undefined;
}

/** What a memory puts before a line: states of the model, and nothing into the prompt. */
export interface RecalledState {
  /** Best first. */
  readonly texts: readonly RecalledText[];
  /** Positions that they take. */
  readonly positions: number;
  /** The model's memory behind them, by path; absent where nothing was found. */
  readonly state?: Readonly<Record<string, NDArray>> | undefined;
  /** Ids of the line, as the adapters have it asked. */
  readonly prompt: readonly number[];
}

/** A memory of texts that brings them back as states. */
export interface OpenStateMemory extends OpenTextMemory {
  /** Most positions of what is found. */
  readonly budget: number;
  /** What begins another line of the talk, where an answer therefore ends; empty where the adapters have no such sign. */
  readonly turn: string;
  recall(said: string): Promise<RecalledState>;
}

/**
 * A memory beside a model, offered by name: what is said is kept in a folder, and what is found of it stands in the prompt.
 * `--memory NAME` of the command line, for a model of any kind.
 */
export interface TextMemory {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  /** Opens the memory of a folder, which begins when there is none. @throws InputError when it is in use or damaged. */
  open(folder: string): Promise<OpenTextMemory>;
  /** The same over a model with adapters. @throws InputError also for a model or adapters that do not fit. */
  openOver?(folder: string, over: SpeakingModel): Promise<OpenStateMemory>;
}

/** How a mechanism's own verb talks. */
export interface VerbOutput {
  readonly json: boolean;
  readonly quiet: boolean;
  /** Characters of a line of the terminal that results are printed to; Infinity where they go elsewhere. */
  readonly width: number;
  /** A result for people; not printed with `--json`. */
  print(text: string): void;
  /** A piece of a result that comes bit by bit; not printed with `--json`. */
  write(text: string): void;
  /** The result for machines; printed only with `--json`, as one document. */
  emit(value: unknown): void;
  /** A remark while the work goes on; not printed with `--quiet`. */
  note(text: string): void;
}

export interface MechanismVerbContext {
  readonly output: VerbOutput;
  /** Aborted by Ctrl-C: save, stop, and return 130. */
  readonly signal: AbortSignal;
  /** Keys of the options that the user set; the others have their defaults. */
  readonly given: ReadonlySet<string>;
  /** Opens a model by its folder: a run, a checkpoint, or weights from elsewhere. */
  readonly open: OpenModel;
  /** Draws what a memory shows as one HTML page that needs no other file; `about` says of what. */
  readonly draw: (inspection: Inspection, about: string) => Promise<string>;
}

/** Exit codes: done, failed, bad input, interrupted. */
export type VerbExit = 0 | 1 | 2 | 130;

/** A command that a mechanism adds to the command line: the shape of the command line's own verbs. */
export interface MechanismVerb<Schema extends z.ZodObject = z.ZodObject> {
  /** Words of the command, as in ['memory', 'search']. */
  readonly path: readonly string[];
  readonly description: string;
  readonly arguments?: readonly {
    readonly name: string;
    readonly description: string;
    readonly required: boolean;
  }[];
  readonly schema: Schema;
  /** Further spellings of flags, by option. */
  readonly aliases?: Readonly<Record<string, readonly string[]>>;
  /** Complete commands. */
  readonly examples?: readonly string[];
  run(
    options: z.output<Schema>,
    context: MechanismVerbContext,
    positional: readonly string[],
  ): Promise<VerbExit>;
}

/**
 * The card of a mechanism: everything by which the house knows it. A package exports one from `./mechanism`; a user's own
 * module may too. Every capability is optional: one mechanism brings a model that is trained, another a policy that is
 * evolved over a model's weights, a third no model but tasks and verbs.
 */
export interface Mechanism {
  /** Stable and short, as in 'osam'. */
  readonly name: string;
  readonly title: string;
  /** One sentence. */
  readonly description: string;
  /** What happens to the memory of a text as it gets longer. */
  readonly memory: 'fixed' | 'growing' | 'none';
  /** What others are compared with: reports tell the losses and wins of the mechanisms that are no controls. Default false */
  readonly isControl?: boolean;
  /** Models that can be trained and loaded. */
  readonly architectures?: readonly Architecture[];
  /** What takes part in comparisons. */
  readonly contenders?: readonly Contender[];
  readonly tasks?: readonly Task[];
  /** Handlers of its golden cases, loaded when they are needed. */
  readonly golden?: () => Promise<readonly GoldenPart[]>;
  /** Shows what the memory of one of its models does with a text. @throws InputError for another model. */
  inspect?(request: InspectRequest): Promise<Inspection>;
  readonly policies?: readonly EvictionPolicy[];
  readonly textMemories?: readonly TextMemory[];
  readonly verbs?: readonly MechanismVerb[];
}
