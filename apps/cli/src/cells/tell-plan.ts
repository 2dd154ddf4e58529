import { existsSync } from 'node:fs';
import {
  type CellPlan,
  type CellSpecInput,
  defaultWorkers,
  planTime,
  ResultStore,
} from '@palimpsest/harness';
import type { z } from 'zod';
import type { cellOptions } from '../options/cells.js';
import type { VerbContext } from '../verb.js';
import { planCells } from './run-cells.js';

/** Says which cells would be computed and how long that will take, task by task; computes nothing. */
export async function tellPlan(
  cells: readonly CellSpecInput[],
  options: z.output<z.ZodObject<typeof cellOptions>> & { readonly out: string },
  { output, registry }: VerbContext,
): Promise<void> {
  const { out, workers = defaultWorkers() } = options;
  const planned = await planCells(cells, out, options, registry);
  const results = existsSync(out) ? await (await ResultStore.openExisting(out)).list() : [];
  const plan = planTime(planned, results, workers);
  for (const part of plan) output.print(lineOf(part));
  const seconds = plan.reduce((sum, part) => sum + (part.seconds ?? 0), 0);
  const finished = planned.filter((cell) => cell.finished).length;
  const besides = plan.some((part) => part.seconds === undefined) ? ', besides those without a time' : '';
  output.print(
    `\n${planned.length} cells, ${finished} of them finished; at most about ${timeWords(seconds)} with ${workers} side by side on an idle machine${besides}. Training that solves its task ends early.`,
  );
  output.emit({ folder: out, total: planned.length, finished, workers, seconds, tasks: plan });
}

function lineOf({ task, cells, finished, seconds }: CellPlan): string {
  const done = finished > 0 ? `, ${finished} finished` : '';
  return `${task.padEnd(24)}${`${cells} cells${done}`.padEnd(26)}${timeWords(seconds)}`;
}

function timeWords(seconds: number | undefined): string {
  if (seconds === undefined) return 'no time known';
  if (seconds < 90) return `${Math.ceil(seconds)} s`;
  const minutes = Math.ceil(seconds / 60);
  return minutes < 90 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
