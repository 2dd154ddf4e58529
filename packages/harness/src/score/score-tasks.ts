import type {
  AnySequenceModel,
  CellMetric,
  Task,
  TaskOutcomeInput,
  Tokenizer,
  TrainedContestant,
} from '@palimpsest/lm';
import { type Engine, InputError } from '@palimpsest/tensor-core';
import { z } from 'zod';
import type { Registry } from '../create-registry.js';
import { byName } from '../names.js';
import { overVocabulary, plainTokens, tokensOf } from './over-vocabulary.js';

export interface ScoredModel {
  readonly engine: Engine;
  readonly model: AnySequenceModel;
  /** On the host. */
  readonly params: unknown;
  readonly tokenizer: Tokenizer;
}

/** How a trained model answered a task that it was not trained on. */
export interface TaskScore {
  readonly task: string;
  readonly title: string;
  /** Headline of a blind guess, in the unit of the metrics. */
  readonly chance?: number | undefined;
  /** The headline first, then one per slice; none where the model could not be asked. */
  readonly metrics: readonly CellMetric[];
  /** Why it could not be asked, in a sentence. */
  readonly refused?: string;
}

export interface ScoreTasksOptions {
  /** Sequences per slice. Default 64. */
  readonly examples?: number;
  readonly seed?: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (task: string, fraction: number) => void;
}

/**
 * Asks a model generated tasks as it is: a task's ids are tokens of its vocabulary, those of the same text where the task is
 * made of characters; of a task of any size, as many ids as there are tokens. Nothing is learned.
 * @throws InputError for a task that there is not, or that does not ask for answers.
 */
export async function scoreTasks(
  scored: ScoredModel,
  names: readonly string[],
  registry: Registry,
  options: ScoreTasksOptions = {},
): Promise<TaskScore[]> {
  const { examples = 64, seed = 1, signal, onProgress } = options;
  const tasks = names.map((name) => byName('task', registry.tasks, name));
  const unfit = tasks.find(({ family }) => family !== 'recall');
  if (unfit) {
    const recall = registry.tasks.filter(({ family }) => family === 'recall').map(({ name }) => name);
    throw new InputError(
      `The task '${unfit.name}' asks no questions of a trained model; these do: ${recall.join(', ')}.`,
    );
  }
  const scores: TaskScore[] = [];
  for (const task of tasks) {
    const { name, title } = task;
    try {
      const tokens = task.texts
        ? tokensOf(name, task.texts, scored.tokenizer)
        : plainTokens(scored.tokenizer, MOST);
      const asked = askedOf(task, tokens.length, examples);
      const outcome = await task.run(
        {
          engine: scored.engine,
          contestant: asItIs(scored, name, tokens),
          learningRate: 0,
          seed,
          signal,
          progress: (fraction) => onProgress?.(name, fraction),
        },
        asked,
      );
      scores.push({ task: name, title, chance: task.chance?.(asked), metrics: answersOf(outcome) });
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      scores.push({ task: name, title, metrics: [], refused: error.message });
    }
  }
  return scores;
}

/** No task needs more tokens than this. */
const MOST = 8192;

/** The task's own options, over fewer ids where there are fewer tokens. */
function askedOf({ options }: Task, tokens: number, examples: number) {
  const asked = options.parse({ examples, batch: Math.min(8, examples), steps: 1 });
  const fits = typeof asked.vocabSize !== 'number' || asked.vocabSize <= tokens;
  return fits ? asked : options.parse({ ...asked, vocabSize: tokens - (tokens % 2) });
}

const answersOf = ({ metrics }: TaskOutcomeInput): CellMetric[] =>
  metrics
    .filter(({ name }) => name.startsWith('accuracy'))
    .map((metric) => ({ ...metric, slice: metric.slice ?? {} }));

/** A contestant that has learned already. */
function asItIs({ model, params }: ScoredModel, task: string, tokens: Int32Array): TrainedContestant {
  return {
    kind: 'trained',
    name: model.name,
    options: {},
    create({ vocabSize }) {
      if (vocabSize <= tokens.length) return overVocabulary(model, tokens.subarray(0, vocabSize));
      throw new InputError(
        `The task '${task}' needs ${vocabSize} different tokens, and the model's vocabulary has ${tokens.length} that stand for a text of their own.`,
      );
    },
    trainer: {
      options: z.object({}),
      async *train() {
        yield { type: 'end', step: 0, tokens: 0, params };
      },
    },
  };
}
