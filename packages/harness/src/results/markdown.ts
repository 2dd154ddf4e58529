import type { EvaluationRegistry } from '../cells/task.js';
import { formatNumber } from '../report/format.js';
import { groupVerdicts, type VerdictSource } from '../report/verdicts/group-verdict.js';
import type { ResultsDocument } from './document.js';
import type { Entry } from './entry.js';
import { Labels, sliceWords } from './labels.js';
import { filledColumns, headlineNames, headlineRows, type TaskGroup, taskGroups } from './tables.js';

/** The results as Markdown: one table per task, slices and learning rates below it. */
export function renderMarkdown(document: ResultsDocument, registry: EvaluationRegistry): string {
  const source = { registry, labels: new Labels(registry), failed: document.failed };
  const parts = [
    `# ${plain(document.title)}`,
    `${document.date.slice(0, 10)}. Values are means over seeds ± their standard error (with one seed: over samples).`,
    ...taskGroups(document, registry).map((group) => groupText(group, source)),
    ...(document.failed.length > 0
      ? [
          `## Failed\n\n${document.failed.map(({ label, error }) => `- ${plain(`${label}: ${error}`)}`).join('\n')}`,
        ]
      : []),
    `## Computed with\n\n${document.provenance.map(provenanceLine).join('\n')}`,
  ];
  return `${parts.join('\n\n')}\n`;
}

function groupText(group: TaskGroup, source: VerdictSource): string {
  const { task, title, options, entries } = group;
  const { labels } = source;
  const heading = [
    `## ${plain(title)}`,
    ...(task ? [plain(task.description)] : []),
    ...(options ? [plain(`Options: ${options}.`)] : []),
  ];
  const rows = headlineRows(group, labels);
  const names = headlineNames(group);
  const shown = filledColumns(rows);
  const tables = [
    table(
      shown.map((index) => names[index]!),
      rows.map((row) => shown.map((index) => row[index]!)),
    ),
    verdictText(group, source),
    sliceTable(entries, labels),
    rateTable(entries, labels),
  ];
  return [...heading, ...tables.filter((part) => part !== '')].join('\n\n');
}

function verdictText(group: TaskGroup, source: VerdictSource): string {
  const lines = groupVerdicts(group, source).flatMap(({ about, sentences }) =>
    sentences.map((sentence) => `- ${plain(about === '' ? sentence : `At ${about}: ${sentence}`)}`),
  );
  return lines.join('\n');
}

/**
 * What the results say, in sentences alone: for a README. Losses stand in it as plainly as wins.
 * @param command that reproduces them, when it is known
 */
export function renderSummary(document: ResultsDocument, registry: EvaluationRegistry): string {
  const source = { registry, labels: new Labels(registry), failed: document.failed };
  const parts = taskGroups(document, registry).flatMap((group) => {
    const text = verdictText(group, source);
    return text === '' ? [] : [`**${plain(group.title)}**\n\n${text}`];
  });
  const machines = document.provenance.map(provenanceLine).join('\n');
  const commands = document.commands.map((command) => `    ${command.replace(/\s+/g, ' ')}`).join('\n');
  const reproduced = commands === '' ? [] : [`Reproduced by\n\n${commands}`];
  return `${[...parts, ...reproduced, `Computed with\n\n${machines}`].join('\n\n')}\n`;
}

/** Metrics by slice, one column per model; empty when there are none or too many to read. */
function sliceTable(entries: readonly Entry[], labels: Labels): string {
  const sliced = entries.flatMap(({ metrics }) =>
    metrics.filter(({ slice }) => Object.keys(slice).length > 0),
  );
  const rows = [...new Set(sliced.map(({ name, slice, unit }) => JSON.stringify([name, slice, unit])))];
  if (rows.length === 0 || rows.length > 60) return '';
  const cells = rows.map((key) => {
    const [name, slice, unit] = JSON.parse(key) as [string, Record<string, number | string>, string];
    const values = entries.map(({ metrics }) => {
      const found = metrics.find(
        (metric) => metric.name === name && JSON.stringify(metric.slice) === JSON.stringify(slice),
      );
      return found ? formatNumber(found.value) : '';
    });
    return [`${name}${unit ? `, ${unit}` : ''}: ${sliceWords(slice)}`, ...values];
  });
  return table(['slice', ...entries.map((entry) => labels.entry(entry))], cells);
}

/** Every learning rate that was tried; empty when there was one only. */
function rateTable(entries: readonly Entry[], labels: Labels): string {
  const rates = [...new Set(entries.flatMap((entry) => entry.rates.map(({ learningRate }) => learningRate)))]
    .filter((rate) => rate !== undefined)
    .sort((a, b) => a - b);
  if (!entries.some((entry) => entry.rates.length > 1)) return '';
  return table(
    ['learning rate', ...rates.map(String)],
    entries.map((entry) => [
      labels.entry(entry),
      ...rates.map((rate) => {
        const found = entry.rates.find(({ learningRate }) => learningRate === rate);
        return found?.headline === undefined ? '' : formatNumber(found.headline);
      }),
    ]),
  );
}

function table(columns: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map(plain).join(' | ')} |`;
  return [line(columns), line(columns.map(() => '---')), ...rows.map(line)].join('\n');
}

function provenanceLine(provenance: ResultsDocument['provenance'][number]): string {
  const { cells, cpu, cores, platform, node, engine, revision } = provenance;
  const at = revision === undefined ? '' : `, revision ${revision.slice(0, 12)}`;
  return `- ${plain(`${cells} cells: ${cpu}, ${cores} cores, ${platform}, Node ${node}, ${engine.name} (${engine.runtime})${at}`)}`;
}

/**
 * Text as it is in Markdown: on one line, without elements, links, pictures or addresses that a reader's program would make
 * into links. Entities show the same signs and mean nothing.
 */
function plain(text: string): string {
  return text
    .replace(/\s+/g, ' ')
    .replace(/[&<>[\]`*|\\~@]/g, (sign) => `&#${sign.charCodeAt(0)};`)
    .replace(/:(?=\S)/g, '&#58;')
    .replace(/www\./gi, (word) => `${word.slice(0, 3)}&#46;`);
}
