import type { EvaluationResult, Provenance, Results } from '../results/schema.js';
import { type ChartSpec, renderChart } from './charts.js';
import { formatMetric } from './format.js';
import { REPORT_STYLE } from './style.js';

/**
 * Renders results as one HTML page without any outside file: charts are inline SVG, and the results themselves are
 * embedded as JSON in `<script id="results">`.
 */
export async function renderReport(results: Results): Promise<string> {
  const sections = await Promise.all(results.evaluations.map(renderEvaluation));
  const passed = results.evaluations.filter((evaluation) => evaluation.passed).length;
  const total = results.evaluations.length;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Palimpsest: ${escapeHtml(results.suite)} evaluation</title>
<style>${REPORT_STYLE}</style>
</head>
<body>
<header>
<h1>Palimpsest <span>${escapeHtml(results.suite)} evaluation</span></h1>
<p class="lead">Which memory keeps what, at what cost? ${passed} of ${total} evaluations hold on
${escapeHtml(results.provenance.engine.name)}, in ${results.seconds.toFixed(0)} s.</p>
</header>
<main>
${renderOverview(results.evaluations)}
${sections.join('\n')}
</main>
<footer>${renderProvenance(results.provenance)}</footer>
<script type="application/json" id="results">${JSON.stringify(results).replaceAll('<', '\\u003c')}</script>
</body>
</html>
`;
}

function renderOverview(evaluations: readonly EvaluationResult[]): string {
  const rows = evaluations.map((evaluation) => {
    const headline = evaluation.metrics[0];
    const value = headline
      ? `${escapeHtml(headline.name)}: <b>${escapeHtml(formatMetric(headline))}</b>`
      : '';
    return `<tr><td>${mark(evaluation)}</td><td><a href="#${anchor(evaluation)}">${escapeHtml(evaluation.title)}</a></td><td>${value}</td><td class="number">${evaluation.seconds.toFixed(1)} s</td></tr>`;
  });
  return `<table class="overview"><thead><tr><th></th><th>evaluation</th><th>headline</th><th class="number">time</th></tr></thead><tbody>${rows.join('\n')}</tbody></table>`;
}

async function renderEvaluation(evaluation: EvaluationResult): Promise<string> {
  const figures = await Promise.all(
    evaluation.charts.map(
      async (spec) => `<figure>${await renderChart(spec as unknown as ChartSpec)}</figure>`,
    ),
  );
  const metrics = evaluation.metrics.map(
    (metric) =>
      `<tr><td>${escapeHtml(metric.name)}</td><td class="number">${escapeHtml(formatMetric(metric))}</td></tr>`,
  );
  return `<section id="${anchor(evaluation)}">
<h2>${mark(evaluation)} ${escapeHtml(evaluation.title)}</h2>
<p>${escapeHtml(evaluation.summary)}</p>
${evaluation.error === undefined ? '' : `<p class="error">${escapeHtml(evaluation.error)}</p>`}
${figures.join('\n')}
${metrics.length > 0 ? `<table><tbody>${metrics.join('\n')}</tbody></table>` : ''}
<details><summary>configuration</summary><pre>${escapeHtml(JSON.stringify(evaluation.config, null, 2))}</pre></details>
</section>`;
}

function renderProvenance(provenance: Provenance): string {
  const { engine } = provenance;
  const facts = [
    ['date', provenance.date],
    ['engine', `${engine.name}, ${engine.runtime}, ${engine.device}, ${engine.threads} threads`],
    [
      'machine',
      `${provenance.cpu}, ${provenance.cores} cores, ${provenance.platform}, Node ${provenance.node}`,
    ],
    ['seed', String(provenance.seed)],
    [
      'packages',
      Object.entries(provenance.packages)
        .map(([name, version]) => `${name} ${version}`)
        .join(', '),
    ],
    ...(provenance.commit === undefined ? [] : [['commit', provenance.commit]]),
  ];
  return `<dl>${facts.map(([term, fact]) => `<dt>${escapeHtml(term!)}</dt><dd>${escapeHtml(fact!)}</dd>`).join('')}</dl>`;
}

function mark({ passed }: EvaluationResult): string {
  return passed ? '<span class="good" title="holds">✓</span>' : '<span class="bad" title="fails">✗</span>';
}

function anchor({ name }: EvaluationResult): string {
  return name.replace(/[^a-z0-9]+/gi, '-');
}

function escapeHtml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}
