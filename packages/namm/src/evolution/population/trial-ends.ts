import { ndarray } from '@palimpsest/tensor-core';
import type { ManagedTexts } from '../../managed/managed-texts.js';
import type { Trial } from '../trial.js';
import { stackedIds } from './stacked-ids.js';

/** How a trial ended, and how many tokens were read behind its prompt. */
export interface TrialEnd {
  readonly logProb?: number;
  readonly answer?: Int32Array;
  readonly fed: number;
}

/**
 * The mean log-probability of targets, token by token as a model would write them.
 * @param logits after the prompts, `[rows, vocabSize]`
 * @param targets equally long
 */
export async function scoreTargets(
  texts: ManagedTexts,
  logits: ArrayLike<number>,
  targets: readonly Int32Array[],
): Promise<TrialEnd[]> {
  const length = targets[0]!.length;
  const sums = targets.map(() => 0);
  const add = (values: ArrayLike<number>, time: number, from: number) => {
    const width = values.length / (targets.length * time);
    targets.forEach((target, row) => {
      for (let step = 0; step < time; step++) {
        sums[row]! += logProbability(values, (row * time + step) * width, width, target[from + step]!);
      }
    });
  };
  add(logits, 1, 0);
  if (length > 1) {
    const rest = await texts.readAll(stackedIds(targets.map((target) => target.subarray(0, length - 1))));
    add(rest.data, length - 1, 1);
  }
  return sums.map((sum) => ({ logProb: sum / length, fed: length - 1 }));
}

/**
 * The likeliest continuation of every text. A text that has ended goes on with the others unheard.
 * @param logits after the prompts, `[rows, vocabSize]`
 */
export async function writeAnswers(
  texts: ManagedTexts,
  logits: ArrayLike<number>,
  trials: readonly Trial[],
): Promise<TrialEnd[]> {
  const most = trials[0]!.maxNewTokens ?? 0;
  const answers: number[][] = trials.map(() => []);
  const ended = trials.map(() => most === 0);
  let fed = 0;
  let values = logits;
  while (!ended.every(Boolean)) {
    const next = trials.map((_, row) => likeliest(values, row, trials.length));
    trials.forEach(({ endIds = [] }, row) => {
      if (ended[row]) return;
      if (endIds.includes(next[row]!)) ended[row] = true;
      else {
        answers[row]!.push(next[row]!);
        ended[row] = answers[row]!.length >= most;
      }
    });
    if (ended.every(Boolean)) break;
    const read = await texts.read(ndarray(Int32Array.from(next), [next.length, 1], 'int32'));
    values = await read.data();
    read.dispose();
    fed += 1;
  }
  // The last token of an answer is never read.
  return answers.map((answer) => ({
    answer: Int32Array.from(answer),
    fed: Math.max(0, Math.min(fed, answer.length - 1)),
  }));
}

/** Log-probability of one id, in float64. */
function logProbability(logits: ArrayLike<number>, from: number, width: number, id: number): number {
  let largest = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < width; i++) largest = Math.max(largest, logits[from + i]!);
  let sum = 0;
  for (let i = 0; i < width; i++) sum += Math.exp(logits[from + i]! - largest);
  return logits[from + id]! - largest - Math.log(sum);
}

/** The id with the largest logit of a row; of equals the lowest. */
function likeliest(logits: ArrayLike<number>, row: number, rows: number): number {
  const width = logits.length / rows;
  let best = 0;
  for (let i = 1; i < width; i++) if (logits[row * width + i]! > logits[row * width + best]!) best = i;
  return best;
}
