import type { EvaluationRegistry } from '../cells/task.js';
import type { ResultsDocument } from '../results/document.js';
import { type Figure, figureData } from './figure.js';
import type { Section } from './html-parts.js';
import { htmlPage } from './page-frame.js';
import { failedSection, modelsSection, provenanceSection } from './sections/closing.js';
import { ReportContext } from './sections/context.js';
import { efficiencySection } from './sections/efficiency.js';
import { languageSection } from './sections/language.js';
import { librarySection } from './sections/library.js';
import { overview } from './sections/overview.js';
import { paritySection } from './sections/parity.js';
import { recallSection } from './sections/recall.js';
import { viabilitySection } from './sections/viability.js';

/** The page, and the data behind its pictures by file name. */
export interface RenderedPage {
  readonly html: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/**
 * Results as one HTML page without any outside file: pictures are inline SVG, their data are links that work offline, and
 * the document itself is embedded as JSON in `<script id="results">`.
 */
export async function renderPage(
  document: ResultsDocument,
  registry: EvaluationRegistry,
): Promise<RenderedPage> {
  const context = new ReportContext(document, registry);
  const sections = [
    overview(context),
    await recallSection(context),
    await languageSection(context),
    await efficiencySection(context),
    viabilitySection(context),
    await paritySection(context),
    await librarySection(context),
    failedSection(context),
    modelsSection(context),
    provenanceSection(context),
  ].filter((section): section is Section => section !== undefined);
  const cells = document.entries.reduce((sum, entry) => sum + entry.cells.length, document.failed.length);
  const html = htmlPage({
    title: document.title,
    lead: `Sequence models of bounded memory, side by side. ${cells} cells, newest of ${document.date.slice(0, 10)}.`,
    sections,
    footer:
      'Made with Palimpsest. The numbers of this page as JSON: in this file, and in results.json beside it.',
    data: { id: 'results', value: document },
  });
  return { html, data: dataOf(context.figures) };
}

function dataOf(figures: readonly Figure[]): Record<string, unknown> {
  return Object.fromEntries(figures.map((figure) => [`${figure.name}.json`, figureData(figure)]));
}
