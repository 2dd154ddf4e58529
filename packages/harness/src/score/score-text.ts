import { evaluateText, type TextEvaluation } from '@palimpsest/lm';
import { formatFacts } from '../models/describe-checkpoint.js';
import type { LanguageModel } from '../models/open-language-model.js';
import { formatBytes } from '../report/format.js';
import { textTable } from '../report/table.js';
import type { ScoredModel, TaskScore } from './score-tasks.js';

export interface ScoreTextOptions {
  /** Tokens per call. Default 128, or less where the model reads less at once */
  readonly chunk?: number | undefined;
  /** `streaming` carries the memory through the whole text (the default), `windowed` begins every chunk afresh. */
  readonly regime?: 'streaming' | 'windowed';
  readonly signal?: AbortSignal;
}

/** Reads a text from end to end with a model: the evaluation of training, in one lane. */
export function scoreText(
  { engine, model, params, tokenizer }: ScoredModel,
  { encodeStart }: Pick<LanguageModel, 'encodeStart'>,
  text: string,
  options: ScoreTextOptions = {},
): Promise<TextEvaluation> {
  return evaluateText(engine, model, params, encodeStart(text), { ...options, tokenizer });
}

/**
 * What a model makes of a text and of tasks, for people.
 * @param width most characters of a line. Default: no limit.
 */
export function formatScore(
  text: TextEvaluation | undefined,
  tasks: readonly TaskScore[],
  width?: number,
): string {
  return [...(text ? [formatText(text, width)] : []), ...tasks.map((score) => formatTask(score, width))].join(
    '\n\n',
  );
}

function formatText(text: TextEvaluation, width: number | undefined): string {
  const { loss, perplexity, bitsPerByte, bitsPerCharacter, accuracy, tokens, window, stateBytes } = text;
  const regime = window === undefined ? text.regime : `windows of ${window}`;
  const optional = (name: string, value: number | undefined): [string, string][] =>
    value === undefined ? [] : [[name, value.toFixed(4)]];
  const facts: [string, string][] = [
    ['nats per token', loss.toFixed(4)],
    ['perplexity', perplexity.toFixed(3)],
    ...optional('bits per byte', bitsPerByte),
    ...optional('bits per character', bitsPerCharacter),
    ['likeliest token right', `${(100 * accuracy).toFixed(1)} %`],
    ['predictions', `${tokens}, ${regime}, ${text.tokensPerSecond.toFixed(0)} per second`],
    ['memory', formatBytes(stateBytes)],
  ];
  const rows = text.buckets.map((bucket) => [
    bucket.to === undefined ? `${bucket.from} and more` : `${bucket.from} to ${bucket.to - 1}`,
    String(bucket.tokens),
    bucket.loss.toFixed(4),
  ]);
  const table = textTable(
    ['tokens in memory', 'predictions', 'nats'],
    rows,
    ['left', 'right', 'right'],
    width,
  );
  return `${formatFacts(facts, width)}\n\n${table}`;
}

function formatTask({ title, task, chance, metrics, refused }: TaskScore, width: number | undefined): string {
  if (refused !== undefined) return `${title}\n${refused}`;
  const rows = metrics.map(({ value, standardError = 0, slice }) => {
    const words = Object.entries(slice).map(([name, at]) => `${name} ${at}`);
    return [words.join(', ') || 'all', `${value.toFixed(1)} %`, `± ${standardError.toFixed(1)}`];
  });
  const blind = chance === undefined ? '' : `; a blind guess: ${chance.toFixed(1)} %`;
  const table = textTable([task, 'right', ''], rows, ['left', 'right', 'right'], width);
  return `${title}${blind}\n${table}`;
}
