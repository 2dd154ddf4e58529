import { textTable } from '@palimpsest/base';
import type { Rate } from '../aggregate.js';
import { keywordF1 } from './keywords.js';
import type { LongMemMeans, LongMemReport, LongMemResult } from './run-long-mem-eval.js';

/** Examples that are shown: of the best answers, and of the worst. */
const [BEST, WORST] = [5, 3];

const share = (value: number | null): string => (value === null ? '' : value.toFixed(3));

const rate = (value: Rate | null): string =>
  value === null ? '' : `${share(value.rate)} [${value.interval.map((end) => end.toFixed(2)).join(', ')}]`;

const row = (name: string, one: LongMemMeans): string[] => [
  name,
  String(one.count),
  share(one.keywordF1),
  rate(one.hasAnswer),
  rate(one.hasNewAnswer),
  rate(one.answerInFound),
  share(one.sessionRecall),
];

const HEADER = [
  'questions',
  'n',
  'keyword F1',
  'has answer',
  'has new words',
  'answer found',
  'session recall',
];

/**
 * The report for a terminal: means by type with intervals at 95 %, what was remembered, and examples.
 * @param width most characters of a line of the table. Default: no limit.
 */
export function longMemText(report: LongMemReport, width?: number): string {
  const { overall, byType, typeAveraged, abstention, memories } = report;
  const rows = [...Object.entries(byType).map(([type, one]) => row(type, one)), row('all', overall)];
  const { written, found } = memories;
  return [
    textTable(HEADER, rows, [], width),
    '',
    ...(typeAveraged.keywordF1 === null
      ? []
      : [
          `Mean over types: keyword F1 ${share(typeAveraged.keywordF1)}, has answer ${share(typeAveraged.hasAnswer)}.`,
        ]),
    ...(abstention
      ? [
          `Never told: ${abstention.short.count}; short answers ${rate(abstention.short)}, "do not know" ${rate(abstention.said)}.`,
        ]
      : []),
    `Memories written: ${written.min} to ${written.max}, mean ${written.mean.toFixed(1)}; found: ${found.min} to ${found.max}, mean ${found.mean.toFixed(1)}.`,
    ...examples(report),
  ].join('\n');
}

function examples({ results }: LongMemReport): string[] {
  const answered = results
    .filter((one) => one.answer !== undefined && !one.abstention)
    .map((one) => ({ one, worth: keywordF1(one.answer!, one.expected) }))
    .sort((a, b) => b.worth - a.worth);
  if (answered.length === 0) return [];
  const worst = answered.slice(Math.max(BEST, answered.length - WORST)).reverse();
  const best = ['', 'Best:', ...answered.slice(0, BEST).map(example)];
  return worst.length === 0 ? best : [...best, 'Worst:', ...worst.map(example)];
}

const example = ({ one, worth }: { one: LongMemResult; worth: number }): string =>
  `  ${worth.toFixed(2)}  ${one.question}  wanted: ${one.expected}  said: ${one.answer!.split('\n', 1)[0]}`;
