import { openCheckpoint, type ResumedRun } from '@palimpsest/harness';
import { type Architecture, runDataSchema } from '@palimpsest/lm';
import { InputError } from '@palimpsest/tensor-core';
import type { VerbContext } from '../verb.js';
import { settingsOf } from './training.js';

/** The run that `--load` goes on with: its own options hold, and whatever is asked for by name beside them is compared. */
export async function resumedRun(
  architecture: Architecture,
  modelKeys: readonly string[],
  options: Readonly<Record<string, unknown>>,
  { asked, preset, registry }: VerbContext,
): Promise<ResumedRun> {
  if (asked.has('minutes')) {
    throw new InputError(
      'A run that goes on keeps its plan: leave --minutes away, or give --steps with the steps in all.',
    );
  }
  const pick = (keys: readonly string[]) =>
    Object.fromEntries(keys.filter((key) => asked.has(key)).map((key) => [key, options[key]]));
  const flags = Object.values(architecture.parameterSets ?? {}).flatMap(({ flag = [] }) => flag);
  const text = asked.has('textPath') ? options.textPath : asked.has('dataset') ? options.dataset : undefined;
  return {
    checkpoint: await openCheckpoint(options.load as string, registry),
    settings: settingsOf(options, asked),
    text: text === undefined ? undefined : (text as string),
    asked: {
      architecture: architecture.name,
      modelOptions: pick(modelKeys),
      data: pick(Object.keys(runDataSchema.shape)),
      preset,
      trainer: architecture.trainer && pick(Object.keys(architecture.trainer.options.shape)),
      base: asked.has('base') && architecture.base ? (options.base as string) : undefined,
      frozen: pick(flags),
    },
  };
}

/** The run folder that a checkpoint named by `--load` belongs to: the folder itself, or that of its `latest`. */
export function folderOf(load: string): string {
  const match = /^(.*?)[/\\]+latest[/\\]*$/.exec(load);
  return match?.[1] || load;
}
