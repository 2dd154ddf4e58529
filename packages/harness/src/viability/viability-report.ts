import { textTable } from '@palimpsest/base';
import type { Rate } from './aggregate.js';
import type { ViabilityReport } from './run-viability.js';

const percent = ({ rate, interval: [low, high] }: Rate): string =>
  `${(100 * rate).toFixed(1)} [${(100 * low).toFixed(1)}, ${(100 * high).toFixed(1)}]`;

const rowsOf = ({ results }: ViabilityReport): string[][] =>
  results.flatMap(({ facts, modes }) =>
    Object.entries(modes).map(([mode, { rates, retrieval, inputTokens, prefixPositions }]) => [
      String(facts),
      mode,
      percent(rates.first),
      (100 * rates.loose.rate).toFixed(1),
      rates.stale.count === 0 ? '' : percent(rates.stale),
      retrieval
        ? `${(100 * retrieval.recallAt1).toFixed(1)} / ${(100 * retrieval.recallAtK).toFixed(1)}`
        : '',
      inputTokens.toFixed(0),
      prefixPositions.toFixed(1),
    ]),
  );

const HEADER = ['N', 'mode', 'first hits %', 'loose %', 'stale %', 'recall@1 / @4 %', 'tokens', 'prefix'];

/** What was between the question and the model, in one sentence, so that a gate that states won is not taken for one that fibers won. */
export const madeOf = ({ prefixMode, keyValueForm, bytesPerMemory }: ViabilityReport): string => {
  const { keyValues, directions, slots, text, bookkeeping } = bytesPerMemory;
  const all = keyValues + directions + slots + text + bookkeeping;
  const what =
    prefixMode === 'kv'
      ? `the model's own keys and values of the memories that retrieval found, as ${keyValueForm}, ${keyValues.toFixed(0)} bytes per memory`
      : `embeddings of content tokens of the memories that retrieval found, ${slots.toFixed(0)} bytes per memory`;
  return `The prefix was made of ${what}; beside them ${directions.toFixed(0)} bytes of directions, ${text.toFixed(0)} of text and ${bookkeeping.toFixed(0)} of bookkeeping: ${all.toFixed(0)} in all. It is no fiber prefix.`;
};

export const clauseLines = ({ gate }: ViabilityReport): string[] =>
  gate.clauses.map(
    ({ name, text, holds }) =>
      `${holds === true ? 'holds' : holds === false ? 'FAILS' : '     '}  ${name}: ${text}`,
  );

/** Whether the gate is passed, and of what: a few questions of one suite are not the whole. */
export function verdictLine({ gate, suite, results }: ViabilityReport): string {
  const asked = results.map(({ facts, modes }) => {
    const counts = Object.values(modes).map(({ rates }) => rates.first.count);
    return `${Math.max(0, ...counts)} questions about ${facts} facts`;
  });
  return `The gate is ${gate.passed ? '' : 'not '}passed on the suite '${suite}': ${asked.join(', ')}.`;
}

/**
 * The report for a terminal.
 * @param width most characters of a line of the table. Default: no limit.
 */
export function viabilityText(report: ViabilityReport, width?: number): string {
  return [
    verdictLine(report),
    ...clauseLines(report),
    madeOf(report),
    '',
    textTable(HEADER, rowsOf(report), [], width),
  ].join('\n');
}

const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ').slice(0, 80);

/** The report as Markdown: verdict, table, failures. */
export function viabilityMarkdown(report: ViabilityReport): string {
  const table = (header: readonly string[], rows: readonly string[][]) => [
    `| ${header.join(' | ')} |`,
    `| ${header.map(() => '---').join(' | ')} |`,
    ...rows.map((row) => `| ${row.join(' | ')} |`),
  ];
  const failed = report.failures.map(({ facts, mode, query, keyword, answer, rank }) =>
    [String(facts), mode, query, keyword, answer, String(rank)].map(cell),
  );
  return [
    `# Session viability, suite ${report.suite}`,
    '',
    `**${verdictLine(report)}**`,
    '',
    ...clauseLines(report).map((line) => `- ${line.trim()}`),
    '',
    madeOf(report),
    '',
    ...table(HEADER, rowsOf(report)),
    '',
    '## Questions without a first hit',
    '',
    ...table(['N', 'mode', 'question', 'keyword', 'answer', 'rank'], failed),
    '',
  ].join('\n');
}
