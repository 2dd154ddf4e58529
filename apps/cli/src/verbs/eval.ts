import { join } from 'node:path';
import {
  byName,
  type CellSpecInput,
  formatDocument,
  noteEvaluation,
  type Profile,
  profilesOf,
  type Registry,
  writeReport,
} from '@palimpsest/harness';
import { InputError } from '@palimpsest/tensor-core';
import { z } from 'zod';
import { exitCodeOf, runCells } from '../cells/run-cells.js';
import { tellPlan } from '../cells/tell-plan.js';
import { ExitCode } from '../exit.js';
import { cellOptions } from '../options/cells.js';
import { quoted } from '../terminal/quoted.js';
import { defineVerb } from '../verb.js';

const choiceOptions = {
  profile: z.string().default('quick').meta({
    description:
      'which cells: smoke, quick, standard, full, or the name of a mechanism with tasks of its own',
    value: 'name',
  }),
  quick: z.boolean().default(false).meta({ description: 'the same as --profile quick' }),
  task: z
    .array(z.string())
    .optional()
    .meta({ description: 'only these tasks, with commas between them', aliases: ['tasks'] }),
  model: z
    .array(z.string())
    .optional()
    .meta({ description: 'only these models, with commas between them', aliases: ['models'] }),
  only: z
    .string()
    .optional()
    .meta({ description: 'only cells with this text in task/model, as in mqar/osam', value: 'text' }),
  seeds: z
    .array(z.int().min(0))
    .optional()
    .meta({ description: 'seeds, in place of those of the profile', aliases: ['seed'] }),
  text: z.string().optional().meta({
    description:
      'text file or folder that language tasks read: in place of generated stories, in standard besides them',
    value: 'path',
  }),
};

type Choice = z.output<z.ZodObject<typeof choiceOptions>>;

/** `palimpsest eval`: the cells of a profile, a table, and a report that is one HTML file. */
export const evaluate = defineVerb({
  path: ['eval'],
  description: 'compare every mechanism: parity, recall, language, cost; ends in a table and an HTML report',
  schema: z.object({
    ...choiceOptions,
    out: z.string().default('palimpsest-report').meta({
      description: 'folder for cells and report.html; what is finished there is not computed again',
      value: 'folder',
    }),
    plan: z
      .boolean()
      .default(false)
      .meta({ description: 'only say which cells there are and how long they will take' }),
    ...cellOptions,
  }),
  examples: [
    'palimpsest eval',
    'palimpsest eval --profile smoke --only mqar --json',
    'palimpsest eval --profile standard --plan',
    'palimpsest eval --profile full --text shakespeare.txt --seeds 1,2,3 --out full-report',
  ],
  async run(options, context) {
    const { output, registry } = context;
    const { name, cells } = await chosenCells(options, registry);
    if (options.plan) {
      await tellPlan(cells, options, context);
      return ExitCode.ok;
    }
    const summary = await runCells(cells, options.out, options, context);
    const { results, ...counts } = summary;
    if (results.length === 0) {
      output.emit({ profile: name, folder: options.out, ...counts, cells: [] });
      return exitCodeOf(summary);
    }
    const title = `Palimpsest: ${name} evaluation`;
    const { commands } = await noteEvaluation(options.out, title, commandOf(options));
    const document = await writeReport(results, {
      folder: options.out,
      registry,
      title,
      commands: [...commands, `palimpsest report ${quoted(options.out)}`],
    });
    const report = join(options.out, 'report.html');
    output.print(`\n${formatDocument(document, registry, output.width)}`);
    output.print(
      `\n${counts.done} of ${counts.total} cells done, ${counts.failed} failed. Report: ${report}`,
    );
    output.emit({ profile: name, folder: options.out, report, ...counts, cells: results });
    return exitCodeOf(summary);
  },
});

/** The cells of the profile that the flags leave, with the seeds and the text that they ask for. */
async function chosenCells(choice: Choice, registry: Registry): Promise<Profile> {
  const { quick, profile, task: tasks, model: models, only = '', seeds, text } = choice;
  if (quick && profile !== 'quick')
    throw new InputError(`--quick and --profile ${profile} cannot both be meant; give one.`);
  const chosen = byName('profile', await profilesOf(registry), profile);
  for (const name of tasks ?? []) byName('task', registry.tasks, name);
  for (const name of models ?? []) byName('model', registry.contenders, name);
  const cells = withText(chosen, text, registry).filter(
    ({ task, model }) =>
      (!tasks || tasks.includes(task)) &&
      (!models || models.includes(model ?? '')) &&
      `${task}/${model ?? ''}`.includes(only),
  );
  if (cells.length > 0) return { ...chosen, cells: cells.flatMap((cell) => reseeded(cell, seeds)) };
  const names = [...new Set(chosen.cells.map(({ task, model }) => (model ? `${task}/${model}` : task)))];
  throw new InputError(
    `The profile '${profile}' has no such cell; it has ${names.join(', ')}, and \`palimpsest sweep\` runs any combination.`,
  );
}

/** The cells of a profile with the user's text: in place of the generated one, or besides it where the profile says so. */
function withText(
  { cells, textCells }: Profile,
  text: string | undefined,
  registry: Registry,
): readonly CellSpecInput[] {
  if (text === undefined) return cells;
  if (textCells === undefined) return cells.map((cell) => reading(cell, text, registry));
  return [...cells, ...textCells.map((cell) => reading(cell, text, registry))];
}

/** The cell with the user's text, when its task reads one. */
function reading(cell: CellSpecInput, text: string, { tasks }: Registry): CellSpecInput {
  const task = tasks.find(({ name }) => name === cell.task);
  if (!task || !('text' in task.options.shape)) return cell;
  return { ...cell, taskOptions: { ...cell.taskOptions, text } };
}

/** The cell with each of the seeds. Cells that are the same then are computed once. */
function reseeded(cell: CellSpecInput, seeds: readonly number[] | undefined): CellSpecInput[] {
  return seeds ? seeds.map((seed) => ({ ...cell, seed })) : [cell];
}

/** The command that computes the same cells, without what only says where and how. */
function commandOf({ profile, task, model, only, seeds, text, out }: Choice & { out: string }): string {
  const flags: readonly (readonly [string, string | undefined])[] = [
    ['profile', profile],
    ['task', task?.join(',')],
    ['model', model?.join(',')],
    ['only', only],
    ['seeds', seeds?.join(',')],
    ['text', text],
    ['out', out],
  ];
  const given = flags.flatMap(([name, value]) => (value === undefined ? [] : [`--${name} ${quoted(value)}`]));
  return ['palimpsest eval', ...given].join(' ');
}
