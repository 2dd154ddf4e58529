import {
  cellLabel,
  expandGrid,
  formatCells,
  type GridInput,
  mergeResults,
  parseGrid,
  type QueueWorkerEvent,
  ResultStore,
  readGridFile,
  runQueueWorker,
} from '@palimpsest/harness';
import { InputError } from '@palimpsest/tensor-core';
import { z } from 'zod';
import {
  exitCodeOf,
  type PlannedCell,
  planCells,
  processSettings,
  queueAddress,
  runCells,
} from '../cells/run-cells.js';
import { ExitCode } from '../exit.js';
import { cellOptions, queueOptions, workerOptions } from '../options/cells.js';
import { outputOptions } from '../options/common.js';
import type { Output } from '../terminal/output.js';
import { defineVerb } from '../verb.js';

const DEFAULT_FOLDER = 'sweep-results';

const gridOptions = {
  tasks: z.array(z.string()).optional().meta({ description: 'tasks, with commas between them' }),
  models: z
    .array(z.string())
    .optional()
    .meta({ description: 'models, with commas between them (default: all that fit the tasks)' }),
  learningRates: z
    .array(z.number().gt(0))
    .optional()
    .meta({ description: "peak learning rates (default: each model's own)", aliases: ['lr'] }),
  seeds: z.array(z.int().min(0)).optional().meta({ description: 'seeds (default: 1)' }),
  widths: z.array(z.int().min(1)).optional().meta({ description: 'widths of the models' }),
  layers: z.array(z.int().min(1)).optional().meta({ description: 'layers of the models' }),
};

type GridFlags = z.output<z.ZodObject<typeof gridOptions>>;

/** `palimpsest sweep`: every combination of a grid, resumable, in parts or on many machines. */
const sweep = defineVerb({
  path: ['sweep'],
  description: 'compute every combination of tasks, models, sizes, learning rates and seeds; resumable',
  arguments: [{ name: 'grid', description: 'JSON file of the grid; flags override it', required: false }],
  schema: z.object({
    ...gridOptions,
    out: z
      .string()
      .default(DEFAULT_FOLDER)
      .meta({ description: 'result folder; what is finished there is not computed again', value: 'folder' }),
    dryRun: z.boolean().default(false).meta({ description: 'only list the cells, and which are finished' }),
    ...cellOptions,
  }),
  examples: [
    'palimpsest sweep --tasks mqar --models osam,transformer --learning-rates 0.001,0.003,0.01 --seeds 1,2,3',
    'palimpsest sweep sweep.json --shard 2/8 --out results-2',
    'palimpsest sweep sweep.json --executor bullmq --redis redis://server:6379',
  ],
  async run(options, context, [path]) {
    const { output, registry } = context;
    const fromFile = path === undefined ? {} : await readGridFile(path);
    const grid = parseGrid({ ...fromFile, ...gridOf(options, fromFile) });
    const cells = expandGrid(registry, grid);
    if (options.dryRun) {
      tellPlan(await planCells(cells, options.out, options, registry), output);
      return ExitCode.ok;
    }
    const summary = await runCells(cells, options.out, options, context);
    const { results, ...counts } = summary;
    output.print(formatCells(results, registry, output.width));
    output.print(
      `\n${counts.done} of ${counts.total} cells done, ${counts.failed} failed; folder ${options.out}`,
    );
    output.emit({ folder: options.out, ...counts, cells: results });
    return exitCodeOf(summary);
  },
});

function tellPlan(cells: readonly PlannedCell[], output: Output): void {
  for (const { spec, finished } of cells) output.print(`${finished ? '✓' : '·'} ${cellLabel(spec)}`);
  const finished = cells.filter((cell) => cell.finished).length;
  output.print(`\n${cells.length} cells, ${finished} of them finished`);
  const listed = cells.map(({ key, spec, finished: done }) => ({ key, spec, finished: done }));
  output.emit({ total: cells.length, finished, cells: listed });
}

/** The part of a grid that flags give. */
function gridOf(flags: GridFlags, fromFile: Partial<GridInput>): Partial<GridInput> {
  const { tasks, models, learningRates, seeds, widths, layers } = flags;
  if (tasks === undefined && fromFile.tasks === undefined) {
    throw new InputError(
      'A sweep needs tasks: give a grid file or --tasks; `palimpsest ls tasks` lists them.',
    );
  }
  const given = { tasks, models, learningRates, seeds, sizes: sizesOf(widths, layers) };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}

function sizesOf(widths?: readonly number[], layers?: readonly number[]): GridInput['sizes'] {
  if (!widths && !layers) return undefined;
  const wide = widths ? widths.map((width) => ({ width })) : [{}];
  return wide.flatMap((size) => (layers ? layers.map((count) => ({ ...size, layers: count })) : [size]));
}

/** `palimpsest sweep merge`: the results of several machines or shards in one folder. */
const merge = defineVerb({
  path: ['sweep', 'merge'],
  description: 'bring the results of several folders into one; doing it again changes nothing',
  arguments: [{ name: 'folders...', description: 'result folders', required: true }],
  schema: z.object({
    out: z
      .string()
      .default(DEFAULT_FOLDER)
      .meta({ description: 'folder that gets everything; it may have results already', value: 'folder' }),
    ...outputOptions,
  }),
  examples: ['palimpsest sweep merge results-1 results-2 --out results'],
  async run({ out }, { output }, folders) {
    const summary = await mergeResults(folders, out);
    for (const { kept, dropped } of summary.conflicts) {
      output.note(
        `two results of ${cellLabel(kept.spec)} measured different things; the one of ${kept.date} stays, not that of ${dropped.date}`,
      );
    }
    const { total, written, same, conflicts } = summary;
    output.print(`${total} cells in ${out}: ${written} new, ${same} known, ${conflicts.length} conflicts`);
    output.emit({ folder: out, ...summary });
    return ExitCode.ok;
  },
});

/** `palimpsest sweep worker`: computes what `sweep --executor bullmq` hands out. */
const worker = defineVerb({
  path: ['sweep', 'worker'],
  description: 'compute cells that sweeps put on a queue, until Ctrl-C gives back what is not finished',
  schema: z.object({
    ...queueOptions,
    ...workerOptions,
    out: z.string().optional().meta({
      description: 'result folder of this worker (default: results only go to the sweep)',
      value: 'folder',
    }),
    stalledAfter: z.number().gt(0).default(30).meta({
      description: 'seconds of silence after which cells of a worker are given to others',
      value: 'seconds',
    }),
    idle: z.number().gt(0).optional().meta({
      description: 'end after so many seconds without a cell (default: wait for ever)',
      value: 'seconds',
    }),
    ...outputOptions,
  }),
  examples: ['palimpsest sweep worker --redis redis://server:6379 --workers 4'],
  async run(options, { output, signal, registry }) {
    const { out, idle, stalledAfter } = options;
    const finished = await runQueueWorker({
      ...queueAddress(options),
      ...processSettings(options, registry),
      registry,
      store: out === undefined ? undefined : await ResultStore.open(out),
      stalledAfterSeconds: stalledAfter,
      idleSeconds: idle,
      signal,
      onEvent: (event) => tell(event, output),
    });
    output.print(`${finished} cells finished`);
    output.emit({ finished });
    return signal.aborted ? ExitCode.interrupted : ExitCode.ok;
  },
});

function tell(event: QueueWorkerEvent, { note }: Output): void {
  if (event.type === 'ready') note(`waiting for cells, ${event.workers} side by side`);
  else if (event.type === 'start') note(`▸ ${cellLabel(event.cell.spec)}`);
  else if (event.type === 'trouble') note(`! ${event.reason}`);
  else {
    const { status, seconds, error } = event.result;
    const end = status === 'done' ? '' : `: ${error}`;
    note(`${status === 'done' ? '✓' : '✗'} ${cellLabel(event.cell.spec)} (${seconds.toFixed(1)} s)${end}`);
  }
}

/** `palimpsest sweep` and what belongs to it. */
export const sweepVerbs = [sweep, merge, worker];
