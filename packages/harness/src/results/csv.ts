import type { ResultsDocument } from './document.js';
import type { Entry } from './entry.js';

const COLUMNS = [
  'task',
  'task options',
  'model',
  'model options',
  'engine',
  'learning rate',
  'seeds',
  'metric',
  'slice',
  'value',
  'standard error',
  'unit',
  'parameters',
  'state bytes',
  'seconds',
  'cpu seconds',
  'peak memory bytes',
] as const;

/** The results as comma-separated values (RFC 4180), one row per metric and slice. */
export function renderCsv(document: ResultsDocument): string {
  const rows = document.entries.flatMap((entry) => entry.metrics.map((metric) => rowOf(entry, metric)));
  return `${[COLUMNS, ...rows].map((row) => row.map(quoted).join(',')).join('\r\n')}\r\n`;
}

function rowOf(entry: Entry, metric: Entry['metrics'][number]): readonly (string | number)[] {
  return [
    entry.task,
    JSON.stringify(entry.taskOptions),
    entry.model ?? '',
    JSON.stringify(entry.modelOptions),
    entry.engine,
    entry.learningRate ?? '',
    entry.seeds.join(' '),
    metric.name,
    JSON.stringify(metric.slice),
    metric.value,
    metric.standardError ?? '',
    metric.unit,
    entry.parameters ?? '',
    entry.stateBytes ?? '',
    entry.seconds,
    entry.cpuSeconds,
    entry.peakMemoryBytes,
  ];
}

/** How a spreadsheet recognises a formula, behind white space too and in the wide forms of East Asian type. */
const FORMULA = /^\s*[=+\-@\uFF1D\uFF0B\uFF0D\uFF20]|^[\t\r\n]/;

/** A text that a program would compute gets the apostrophe that makes it text; numbers stay as they are. */
function quoted(value: string | number): string {
  const text = typeof value === 'string' && FORMULA.test(value) ? `'${value}` : String(value);
  return /[",;\t\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
