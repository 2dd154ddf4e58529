import type { EvaluationRegistry, Task } from '../cells/task.js';
import { type Aggregate, aggregate } from '../results/aggregate.js';
import { groupBy } from '../results/group-by.js';
import type { Results } from '../results/schema.js';
import { aggregateName } from './aggregate-name.js';
import { renderChart } from './charts.js';
import { formatNumber } from './format.js';
import { REPORT_STYLE } from './style.js';
import { bytesOf, headlineOf, holds } from './summary.js';
import { taskCharts } from './task-charts.js';

/**
 * Renders results as one HTML page without any outside file: a section per task, charts as inline SVG, and the results
 * themselves embedded as JSON in `<script id="results">`.
 */
export async function renderReport(results: Results, registry: EvaluationRegistry): Promise<string> {
  const groups = aggregate(results.cells, registry);
  const byTask = [...groupBy(groups, ({ task }) => task)];
  const sections: string[] = [];
  for (const [task, own] of byTask) sections.push(await renderTask(task, own));
  const good = groups.filter(holds).length;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Palimpsest: ${escapeHtml(results.title)}</title>
<style>${REPORT_STYLE}</style>
</head>
<body>
<header>
<h1>Palimpsest <span>${escapeHtml(results.title)}</span></h1>
<p class="lead">Which memory keeps what, at what cost? ${results.cells.length} cells; ${good} of ${groups.length} rows without a failure.</p>
</header>
<main>
<table class="overview"><tbody>${byTask.map(([task, own]) => overviewRow(task, own)).join('\n')}</tbody></table>
${sections.join('\n')}
</main>
<footer>${renderProvenance(results)}</footer>
<script type="application/json" id="results">${JSON.stringify(results).replaceAll('<', '\\u003c')}</script>
</body>
</html>
`;
}

function overviewRow(task: Task, groups: readonly Aggregate[]): string {
  return `<tr><td>${mark(groups)}</td><td><a href="#${task.name}">${escapeHtml(task.title)}</a></td><td class="number">${groups.length}</td></tr>`;
}

async function renderTask(task: Task, groups: readonly Aggregate[]): Promise<string> {
  const figures: string[] = [];
  for (const chart of taskCharts(groups)) figures.push(`<figure>${await renderChart(chart)}</figure>`);
  const { metric, unit, higherIsBetter } = task.headline;
  const { taskOptions } = groups[0]!;
  const options = task.options.safeParse(taskOptions);
  const chance = options.success ? task.chance?.(options.data) : undefined;
  const guess = chance === undefined ? '' : `; a blind guess reaches ${formatNumber(chance)} ${unit}`;
  return `<section id="${task.name}">
<h2>${mark(groups)} ${escapeHtml(task.title)}</h2>
<p>${escapeHtml(task.description)}</p>
<table><thead><tr><th></th><th>model</th><th class="number">${escapeHtml(metric)}</th><th class="number">rate</th><th class="number">parameters</th><th class="number">state bytes</th></tr></thead>
<tbody>${groups.map((group) => groupRow(group, groups)).join('\n')}</tbody></table>
<p class="lead">${higherIsBetter ? 'Higher' : 'Lower'} is better${escapeHtml(guess)}. ± is the standard error over seeds.</p>
${ratesTable(groups)}
${figures.join('\n')}
<details><summary>options</summary><pre>${escapeHtml(JSON.stringify(options.success ? options.data : taskOptions, null, 2))}</pre></details>
</section>`;
}

function groupRow(group: Aggregate, neighbours: readonly Aggregate[]): string {
  const { best } = group;
  const parameters = best.results[0]?.outcome?.parameters;
  const [, value] = headlineOf(group);
  const failures = group.rates.flatMap((rate) => rate.failures);
  const notes = best.results.flatMap(({ outcome }) => outcome?.notes ?? []);
  const remarks = [...new Set([...failures.map(({ error }) => error ?? 'failed'), ...notes])];
  const cells = [value, best.learningRate, parameters && formatNumber(parameters), bytesOf(group)];
  return `<tr><td>${mark([group])}</td><td>${escapeHtml(aggregateName(group, neighbours))}${remarks.map((remark) => `<br><small>${escapeHtml(remark)}</small>`).join('')}</td>${cells.map((cell) => `<td class="number">${escapeHtml(String(cell ?? ''))}</td>`).join('')}</tr>`;
}

/** The headline at every learning rate that was tried, when there are several. */
function ratesTable(groups: readonly Aggregate[]): string {
  const rates = [...new Set(groups.flatMap((group) => group.rates.map(({ learningRate }) => learningRate)))]
    .filter((rate) => rate !== undefined)
    .sort((a, b) => a - b);
  if (groups.every((group) => group.rates.length < 2)) return '';
  const rows = groups.map((group) => {
    const values = rates.map((rate) => group.rates.find(({ learningRate }) => learningRate === rate)?.mean);
    return `<tr><td>${escapeHtml(aggregateName(group, groups))}</td>${values.map((value) => `<td class="number">${value === undefined ? '' : formatNumber(value)}</td>`).join('')}</tr>`;
  });
  return `<table><thead><tr><th>by learning rate</th>${rates.map((rate) => `<th class="number">${rate}</th>`).join('')}</tr></thead><tbody>${rows.join('\n')}</tbody></table>`;
}

function renderProvenance({ cells }: Results): string {
  const distinct = (pick: (cell: Results['cells'][number]) => string) =>
    [...new Set(cells.map(pick))].join('; ');
  const facts: [string, string][] = [
    ['date', distinct(({ date }) => date.slice(0, 10))],
    [
      'engine',
      distinct(({ provenance: { engine } }) => `${engine.name}, ${engine.runtime}, ${engine.device}`),
    ],
    [
      'machine',
      distinct(
        ({ provenance: { cpu, cores, platform, node } }) =>
          `${cpu}, ${cores} cores, ${platform}, Node ${node}`,
      ),
    ],
    ['seeds', distinct(({ spec }) => String(spec.seed))],
    [
      'packages',
      distinct(({ provenance: { versions } }) =>
        Object.entries(versions)
          .map(([name, version]) => `${name} ${version}`)
          .join(', '),
      ),
    ],
    ['revision', distinct(({ provenance: { revision } }) => revision ?? 'unknown')],
  ];
  return `<dl>${facts.map(([term, fact]) => `<dt>${term}</dt><dd>${escapeHtml(fact)}</dd>`).join('')}</dl>`;
}

function mark(groups: readonly Aggregate[]): string {
  return groups.every(holds)
    ? '<span class="good" title="holds">✓</span>'
    : '<span class="bad" title="fails">✗</span>';
}

function escapeHtml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}
