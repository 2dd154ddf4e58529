import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  FIRST_SEARCH_SEED,
  formatSearch,
  judgeTrials,
  planSearch,
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
    const summary = await runCells(plan.cells, options.out, options, context);
    const judged = judgeTrials(plan.trials, summary.results, registry);
    writeFileSync(join(options.out, LOG), searchLog(options, judged));
    output.print(formatSearch(judged, options.tasks, output.width));
    output.print(
      `\n${summary.done} of ${summary.total} cells done, ${summary.failed} failed; everything tried: ${join(options.out, LOG)}`,
    );
    output.emit({ folder: options.out, total: summary.total, failed: summary.failed, trials: judged });
    return exitCodeOf(summary);
  },
});
