import { longestCommon } from './longest-common.js';

/** How an answer is judged: a share between 0 and 1. */
export interface TextMetric {
  /** @param gold one right answer; the best over several counts */
  score(answer: string, gold: string, context?: MetricContext): number;
}

export interface MetricContext {
  /** Names of all classes, for `classification`. */
  readonly allClasses?: readonly string[] | undefined;
  /** Classification as the published program has it. Default false. */
  readonly parity?: boolean;
}

const PUNCTUATION = /[!"#$%&'()*+,\-./:;<=>?@[\\\]^_`{|}~]/g;
const words = (text: string) => text.split(/\s+/).filter((word) => word !== '');

/** F1 of two counts of common items. */
function harmonic(common: number, answered: number, expected: number): number {
  if (common === 0) return 0;
  const [precision, recall] = [common / answered, common / expected];
  return (2 * precision * recall) / (precision + recall);
}

/** Lower case, no punctuation, no articles (Rajpurkar et al., 2016). */
function plainWords(text: string): string[] {
  const bare = text.toLowerCase().replaceAll(PUNCTUATION, '');
  return words(bare.replaceAll(/\b(a|an|the)\b/g, ' '));
}

/** F1 of the bags of words. */
function qaF1(answer: string, gold: string): number {
  const [answered, expected] = [plainWords(answer), plainWords(gold)];
  const left = new Map<string, number>();
  for (const word of expected) left.set(word, (left.get(word) ?? 0) + 1);
  let common = 0;
  for (const word of answered) {
    const count = left.get(word) ?? 0;
    if (count === 0) continue;
    left.set(word, count - 1);
    common += 1;
  }
  return harmonic(common, answered.length, expected.length);
}

const integers = (text: string) => text.match(/\d+/g) ?? [];

/** Share of the integers of an answer that are the right one. */
function shareOfIntegers(answer: string, right: string | undefined): number {
  const found = integers(answer);
  return found.length === 0 ? 0 : found.filter((number) => number === right).length / found.length;
}

/** 1 over the number of classes that an answer names, when the right one is among them. */
function classification(answer: string, gold: string, context: MetricContext = {}): number {
  const named = (context.allClasses ?? []).filter((name) => answer.includes(name));
  // The name of one class may be a part of the right one's.
  const isPart = (name: string) => name !== gold && gold.includes(name);
  const left = context.parity ? withoutMostParts(named, isPart) : named.filter((name) => !isPart(name));
  return left.includes(gold) ? 1 / left.length : 0;
}

/** The published program takes parts out of the list while it walks over it, and so passes over the one behind each. */
function withoutMostParts(named: readonly string[], isPart: (name: string) => boolean): string[] {
  const list = [...named];
  for (let i = 0; i < list.length; i++) if (isPart(list[i]!)) list.splice(list.indexOf(list[i]!), 1);
  return list;
}

/** F1 of the longest common subsequence of words (Lin, 2004). */
function rougeL(answer: string, gold: string): number {
  const [answered, expected] = [words(answer), words(gold)];
  return harmonic(longestCommon(answered, expected), answered.length, expected.length);
}

/** Likeness of the first line of code: 1 less insertions and deletions by both lengths, in whole percents. */
function codeSimilarity(answer: string, gold: string): number {
  const lines = answer.replace(/^\n+/, '').split('\n');
  const code = [...(lines.find((line) => !/`|#|\/\//.test(line)) ?? '')];
  const expected = [...gold];
  const both = code.length + expected.length;
  if (code.length === 0 || expected.length === 0) return 0;
  return Math.round((100 * 2 * longestCommon(code, expected)) / both) / 100;
}

/** Metrics by name. */
export const textMetrics = {
  qaF1: { score: qaF1 },
  retrieval: { score: (answer, gold) => shareOfIntegers(answer, integers(gold)[0]) },
  count: { score: (answer, gold) => shareOfIntegers(answer, gold.trim()) },
  classification: { score: classification },
  rougeL: { score: rougeL },
  codeSimilarity: { score: codeSimilarity },
} as const satisfies Record<string, TextMetric>;
export type TextMetricName = keyof typeof textMetrics;

/** The best score over several right answers. */
export function bestScore(
  metric: TextMetricName,
  answer: string,
  golds: readonly string[],
  context?: MetricContext,
): number {
  const { score }: TextMetric = textMetrics[metric];
  return golds.reduce((best, gold) => Math.max(best, score(answer, gold, context)), 0);
}

/** The first line of an answer, which is all that counts in tasks whose examples go on with a next question. */
export const firstLine = (answer: string): string => answer.replace(/^\n+/, '').split('\n')[0]!;
