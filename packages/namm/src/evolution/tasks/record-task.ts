import { InputError, parseJson } from '@palimpsest/base';
import { z } from 'zod';
import type { EvolutionTask, Split } from './evolution-task.js';
import { type Asking, textSample } from './text-sample.js';

const recordSchema = z.object({
  prompt: z.string().min(1),
  answers: z.array(z.string()).min(1),
  metric: z
    .enum(['qaF1', 'retrieval', 'count', 'classification', 'rougeL', 'codeSimilarity'])
    .default('qaF1'),
  allClasses: z.array(z.string()).optional(),
  firstLineOnly: z.boolean().optional(),
});

/** A question of one's own: a line of a file. */
export type TaskRecord = z.input<typeof recordSchema>;

/** Of ten records in a row: six to evolve on, two to choose by, two to judge on. */
const SPLIT_OF: readonly Split[] = [
  'train',
  'train',
  'validation',
  'train',
  'test',
  'train',
  'train',
  'validation',
  'train',
  'test',
];

/**
 * A task of given questions.
 * @throws InputError when a split has none.
 */
export function recordTask(name: string, records: readonly TaskRecord[], asking: Asking): EvolutionTask {
  const parsed = records.map((record, i) => {
    const result = recordSchema.safeParse(record);
    if (result.success) return result.data;
    const [issue] = result.error.issues;
    throw new InputError(
      `Record ${i + 1} of the task '${name}' does not fit at '${issue?.path.join('.')}': ${issue?.message}.`,
    );
  });
  const of = (split: Split) => parsed.filter((_, i) => SPLIT_OF[i % SPLIT_OF.length] === split);
  const splits = { train: of('train'), validation: of('validation'), test: of('test') };
  const sizes = Object.values(splits).map(({ length }) => length);
  if (Math.min(...sizes) === 0) {
    throw new InputError(
      `The task '${name}' has ${records.length} records; 5 are the least that can be split.`,
    );
  }
  return {
    name,
    size: Math.min(...sizes),
    sample(split, index) {
      const { answers, ...question } = splits[split][index]!;
      return textSample({ ...question, golds: answers }, asking);
    },
  };
}

/** Records of a file with one JSON object per line. @throws InputError naming file and line. */
export function parseRecords(text: string, path: string): TaskRecord[] {
  return text.split('\n').flatMap((line, i) => {
    if (line.trim() === '') return [];
    const parsed = recordSchema.safeParse(parseJson(line, `${path}, line ${i + 1},`));
    if (parsed.success) return [parsed.data];
    const [issue] = parsed.error.issues;
    throw new InputError(
      `${path}, line ${i + 1}: '${issue?.path.join('.')}' does not fit: ${issue?.message}.`,
    );
  });
}
