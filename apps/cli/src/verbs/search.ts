import { join } from 'node:path';
import { writeFileAtomically } from '@palimpsest/base';
import {
  FIRST_SEARCH_SEED,
  formatSearch,
  judgeTrials,
  planFinals,
  planSearch,
  type SweepSummary,
  searchedTasks,
  searchLog,
} from '@palimpsest/harness';
import { z } from 'zod';
import { exitCodeOf, runCells } from '../cells/run-cells.js';
import { cellOptions } from '../options/cells.js';
import { defineVerb } from '../verb.js';

const LOG = 'search.json';

/** `palimpsest search`: the best settings of every model, found with the same number of trials for each. */
export const search = defineVerb({
  path: ['search'],
  description: 'try learning rates and options of models, as many for one as for another; resumable',
  schema: z.object({
    models: z
      .array(z.string())
      .optional()
      .meta({ description: 'models, with commas between them (default: all that are trained)' }),
    tasks: z
      .array(z.string())
      .min(1)
      .default(searchedTasks)
      .meta({ description: 'tasks, with commas between them' }),
    trials: z.int().min(1).default(12).meta({
      description: 'settings of every model: its defaults, and others drawn from what its card names',
    }),
    seeds: z
      .array(z.int().min(0))
      .min(1)
      .default([FIRST_SEARCH_SEED])
      .meta({ description: `seeds that no table uses, from ${FIRST_SEARCH_SEED} on` }),
    finalists: z.int().min(0).default(3).meta({
      description: 'the best settings of every model, which the final seeds decide between; 0 for none',
    }),
    finalSeeds: z
      .array(z.int().min(0))
      .default([FIRST_SEARCH_SEED + 1, FIRST_SEARCH_SEED + 2])
      .meta({ description: 'more seeds that no table uses, for these alone' }),
    out: z
      .string()
      .default('search-results')
      .meta({
        description: `result folder, with ${LOG}; what is finished there is not computed again`,
        value: 'folder',
      }),
    ...cellOptions,
  }),
  examples: [
    'palimpsest search --models osam,gru,transformer-window --trials 8',
    'palimpsest search --tasks language --seeds 1001,1002 --out text-search',
  ],
  async run(options, context) {
    const { output, registry } = context;
    const plan = planSearch(registry, options);
    const trials = await runCells(plan.cells, options.out, options, context);
    const first = judgeTrials(plan.trials, trials.results, registry);
    // A part of the trials is no search: what is missing would count as the worst.
    const isWhole = options.shard === undefined && hasAll(trials);
    const finals = planFinals(first, options);
    const hasFinals = isWhole && finals.cells.length > 0;
    const summary = hasFinals
      ? await runCells([...plan.cells, ...finals.cells], options.out, options, context)
      : trials;
    const judged = hasFinals ? judgeTrials(plan.trials, summary.results, registry, finals.finalists) : first;
    const isComplete = isWhole && hasAll(summary);
    const log = join(options.out, LOG);
    if (isComplete) await writeFileAtomically(log, searchLog(options, judged));
    output.print(formatSearch(judged, options.tasks, output.width));
    output.print(
      `\n${summary.done} of ${summary.total} cells done, ${summary.failed} failed; ${isComplete ? `everything tried: ${log}` : `${log} is written when all cells of the search have a result.`}`,
    );
    const { total, failed } = summary;
    output.emit({ folder: options.out, isComplete, total, failed, trials: judged });
    return exitCodeOf(summary);
  },
});

function hasAll({ results, total }: SweepSummary): boolean {
  return results.length === total;
}
