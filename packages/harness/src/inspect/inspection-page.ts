import type { TextInspection } from '@palimpsest/rsm';
import { escapeMarkup } from '../pages/markup.js';
import { figure, htmlPage, section } from '../pages/page.js';
import { lineChart, renderChart } from '../report/charts.js';
import { gateHistograms, readMap, slotHeatMap } from './memory-pictures.js';

export interface InspectionPageOptions {
  /** Name of the checkpoint. */
  readonly checkpoint: string;
  /** What each token of the text stands for. */
  readonly texts: readonly string[];
  /** Facts about the model, name and value. */
  readonly facts: readonly (readonly [string, string])[];
  /** Most tokens at the end of the text whose reads are drawn. Default 192. */
  readonly readTokens?: number;
}

/** Tokens of one line of the pictures of reads. */
const LINE = 64;
/** Slots whose norms are drawn as lines. */
const LINES = 8;

/**
 * One HTML page, without any outside file, of what a memory did while it read a text: slots, gates, effective rank and norms
 * over the chunks, and which slots each token read.
 */
export async function inspectionPage(
  inspection: TextInspection,
  options: InspectionPageOptions,
): Promise<string> {
  const memories = inspection.chunks[0]!.slotRank.length;
  const name = (memory: number) =>
    memories === 1 ? 'the memory' : `block ${inspection.memoryOfLayer.indexOf(memory)}`;
  const each = Array.from({ length: memories }, (_, memory) => memory);
  const sections = [
    section('The text, and how much each token surprises', textParagraph(inspection, options.texts)),
    section(
      'Effective rank of the slots over time',
      `<p>Participation ratio of the singular values: 1 when all ${inspection.numSlots} slots hold one vector, ${inspection.numSlots} when each holds another.</p>${await rankChart(inspection, name)}`,
    ),
    section('Gates of all writes', gateHistograms(inspection)),
    section(
      'The slots after the last chunk',
      each.map((memory) => `<h3>${name(memory)}</h3>${figure(slotHeatMap(inspection, memory))}`).join(''),
    ),
    section('Norms of the first slots over time', await normCharts(inspection, each, name)),
    section('Which slots each token reads', readFigures(inspection, options)),
  ];
  return htmlPage({
    title: `Memory of ${options.checkpoint}`,
    heading: 'What the memory did',
    facts: options.facts,
    sections,
  });
}

/** The text with a background that grows darker with the loss of each token. */
function textParagraph({ losses, chunks }: TextInspection, texts: readonly string[]): string {
  const starts = new Set(chunks.map(({ from }) => from));
  const known = [...losses].filter((loss) => !Number.isNaN(loss));
  const mean = known.reduce((sum, loss) => sum + loss, 0) / Math.max(1, known.length);
  const spans = texts.map((text, index) => {
    const loss = losses[index]!;
    const title = Number.isNaN(loss) ? 'first token' : `${loss.toFixed(2)} nats`;
    const shade = Number.isNaN(loss) ? 0 : Math.min(0.55, loss / 12);
    const border = starts.has(index) && index > 0 ? ' class="chunk"' : '';
    const shown = text === '\n' ? '⏎\n' : text;
    return `<span${border} style="background:rgba(178,72,40,${shade.toFixed(2)})" title="${title}">${escapeMarkup(shown)}</span>`;
  });
  return `<p>Mean ${mean.toFixed(3)} nats per token over ${known.length} tokens; bars mark the borders of the ${chunks.length} chunks.</p><pre class="text">${spans.join('')}</pre>`;
}

async function rankChart({ chunks }: TextInspection, name: (memory: number) => string): Promise<string> {
  const points = chunks.flatMap(({ slotRank }, chunk) =>
    slotRank.map((rank, memory) => ({ x: chunk + 1, y: rank, series: name(memory) })),
  );
  const titles = { title: '', xTitle: 'chunks read', yTitle: 'effective rank' };
  return figure(await renderChart(lineChart(points, { ...titles, width: 640, height: 220 })));
}

async function normCharts(
  { chunks, numSlots }: TextInspection,
  memories: readonly number[],
  name: (memory: number) => string,
): Promise<string> {
  const charts = memories.map(async (memory) => {
    const points = chunks.flatMap(({ slotNorms }, chunk) =>
      slotNorms[memory]!.slice(0, LINES).map((norm, slot) => ({
        x: chunk + 1,
        y: norm,
        series: `slot ${slot}`,
      })),
    );
    const title = `${name(memory)}${numSlots > LINES ? `, first ${LINES} of ${numSlots} slots` : ''}`;
    const titles = { title, xTitle: 'chunks read', yTitle: 'norm' };
    return figure(await renderChart(lineChart(points, { ...titles, width: 640, height: 160 })));
  });
  return (await Promise.all(charts)).join('');
}

function readFigures(inspection: TextInspection, { texts, readTokens = 192 }: InspectionPageOptions): string {
  const end = inspection.tokens.length;
  const first = Math.max(0, end - readTokens);
  const lines: string[] = [];
  for (let from = first; from < end; from += LINE) {
    const to = Math.min(end, from + LINE);
    const layers = Array.from({ length: inspection.numLayers }, (_, layer) =>
      readMap(inspection, layer, from, to, texts),
    );
    lines.push(figure(layers.join('')));
  }
  const shown = first > 0 ? `The last ${end - first} of ${end} tokens. ` : '';
  return `<p>${shown}A row per slot, darker where more of the read comes from it; red lines mark chunk borders.</p>${lines.join('')}`;
}
