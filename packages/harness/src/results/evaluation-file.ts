import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseJson } from '@palimpsest/base';
import { InputError, writeFileAtomically } from '@palimpsest/tensor-core';
import { z } from 'zod';
import { firstIssue } from '../cells/resolve-cell.js';

const FILE = 'evaluation.json';

const evaluationSchema = z.strictObject({
  format: z.literal('palimpsest-evaluation'),
  version: z.literal(1),
  /** Heading of the report. */
  title: z.string(),
  /** Commands that computed the cells of the folder, the oldest first. */
  commands: z.array(z.string()),
});

export type Evaluation = Pick<z.output<typeof evaluationSchema>, 'title' | 'commands'>;

/** What evaluations a result folder comes from, so that its report can be written again as it was. */
export async function readEvaluation(folder: string): Promise<Evaluation | undefined> {
  const path = join(folder, FILE);
  if (!existsSync(path)) return undefined;
  const parsed = evaluationSchema.safeParse(parseJson(await readFile(path, 'utf8'), `'${path}'`));
  if (parsed.success) return parsed.data;
  throw new InputError(
    `'${path}' does not say what the folder was computed with (${firstIssue(parsed.error)}); remove it.`,
  );
}

/** Adds a command to those of a result folder, whose title becomes that of the newest. */
export async function noteEvaluation(folder: string, title: string, command: string): Promise<Evaluation> {
  const before = (await readEvaluation(folder))?.commands ?? [];
  const commands = [...before.filter((known) => known !== command), command];
  const file = { format: 'palimpsest-evaluation', version: 1, title, commands };
  await writeFileAtomically(
    join(folder, FILE),
    new TextEncoder().encode(`${JSON.stringify(file, null, 2)}\n`),
  );
  return { title, commands };
}
