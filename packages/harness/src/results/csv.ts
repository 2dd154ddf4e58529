import type { Entry, ResultsDocument } from './document.js';

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

function quoted(value: string | number): string {
  const text = String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
