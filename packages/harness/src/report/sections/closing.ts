import { formatNumber } from '../format.js';
import { definitions, htmlTable, paragraph, type Section } from '../html-parts.js';
import { type Markup, markup } from '../markup.js';
import type { ReportContext } from './context.js';

/** Cells without a result; the page says so as plainly as it shows the others. */
export function failedSection({ document }: ReportContext): Section | undefined {
  if (document.failed.length === 0) return undefined;
  return {
    id: 'failed',
    title: 'Cells that failed',
    body: [
      htmlTable(
        ['cell', 'reason'],
        document.failed.map(({ label, error }) => [label, error]),
      ),
    ],
  };
}

/** What every model is. */
export function modelsSection({ registry, document }: ReportContext): Section | undefined {
  const present = new Set(document.entries.map(({ model }) => model));
  const rows = registry.contenders.filter(({ name }) => present.has(name));
  if (rows.length === 0) return undefined;
  return {
    id: 'models',
    title: 'Who took part',
    body: [
      definitions(
        rows.map(({ title, name, description }) => [markup`${title} <code>${name}</code>`, description]),
      ),
    ],
  };
}

/** What to type for the same report. */
function commandParts(commands: readonly string[]): Markup[] {
  if (commands.length === 0) return [];
  return [
    paragraph(
      'The same again: cells that lie in the folder are not computed a second time, and the last line writes this report from them alone.',
    ),
    markup`<pre class="command">${commands.join('\n')}</pre>`,
  ];
}

/** Machines, versions, seeds and how values are to be read. */
export function provenanceSection({ document }: ReportContext): Section {
  const rows = document.provenance.map((provenance) => [
    `${provenance.cells} cells`,
    `${provenance.cpu}, ${provenance.cores} cores, ${(provenance.memoryBytes / 1e9).toFixed(0)} GB`,
    `${provenance.platform}, Node ${provenance.node}`,
    `${provenance.engine.name}: ${provenance.engine.runtime}, ${provenance.engine.device}, ${provenance.engine.threads} threads`,
    provenance.revision?.slice(0, 12) ?? '',
  ]);
  const versions = Object.entries(document.provenance[0]?.versions ?? {})
    .map(([name, version]) => `${name} ${version}`)
    .join(', ');
  const seeds = [...new Set(document.entries.flatMap((entry) => entry.seeds))].sort((a, b) => a - b);
  return {
    id: 'provenance',
    title: 'How this was computed',
    body: [
      paragraph(
        `Values are means over seeds ± their standard error; with one seed, over the samples of the cell. Seeds: ${seeds.join(', ')}. Of several learning rates the one with the best mean headline is shown, and the others are printed beside it. All cells together took ${formatNumber(Math.round(document.cpuSeconds))} s of CPU time and ${formatNumber(Math.round(document.seconds))} s of wall time.`,
      ),
      ...commandParts(document.commands),
      htmlTable(['', 'machine', 'platform', 'engine', 'revision'], rows),
      paragraph(versions, 'soft'),
    ],
  };
}
