import { resolve } from 'node:path';
import { builtInCorpora, type LoadedCheckpoint, missingSetting, runDataSchema } from '@palimpsest/lm';
import { InputError } from '@palimpsest/tensor-core';
import { z } from 'zod';
import { pretrainedNotesSchema } from './pretrained-start.js';

/** What a run stores with every checkpoint: all that it needs to go on, besides the checkpoint's own data. */
export const runNotesSchema = z.object({
  /** Name of a built-in corpus, or the absolute path of a file or folder. */
  text: z.string(),
  /** SHA-256 of the text, see `textIdentity`. Runs of the first versions have none. */
  textHash: z.string().optional(),
  data: runDataSchema,
  seed: z.number(),
  frozen: z.array(z.string()),
  /** Preset that the run was begun with; null: the first one, because none was named. */
  preset: z.string().nullable().optional(),
  /** Options of the architecture's own trainer. */
  trainer: z.record(z.string(), z.json()).default({}),
  /** Absolute path of the model that it is made over, for an architecture that requires one. */
  base: z.string().optional(),
  /** The checkpoint folder whose weights it began with. */
  pretrained: pretrainedNotesSchema.optional(),
});

export type RunNotes = z.output<typeof runNotesSchema>;

/** @throws InputError when a checkpoint was not written by a run, or lacks a setting that the run read its text by. */
export function notesOf(checkpoint: LoadedCheckpoint): RunNotes {
  const parsed = runNotesSchema.safeParse(checkpoint.notes);
  if (parsed.success && checkpoint.tokenizer) {
    const { data } = checkpoint.notes as { data: object };
    const missing = missingSetting(runDataSchema, data);
    if (missing === undefined) return parsed.data;
    throw new InputError(
      `The checkpoint '${checkpoint.folder}' is torn: config.json lacks the setting '${missing}' of its run's data; use another copy of it.`,
    );
  }
  throw new InputError(
    `The checkpoint '${checkpoint.folder}' does not say what its run read, so the run cannot go on.`,
  );
}

/** How a text is stored: files by absolute paths, so that the run goes on from any working folder. */
export function storedText(source: string): string {
  return Object.hasOwn(builtInCorpora, source) ? source : resolve(source);
}
