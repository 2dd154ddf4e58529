import type { AnswerAccuracy, Proportion, RsmReport, TaskReport } from '@palimpsest/rsm';
import { escapeMarkup } from '../pages/markup.js';
import { figure, htmlPage, htmlTable, section } from '../pages/page.js';
import { renderChart } from '../report/charts.js';
import { suiteCharts } from './suite-charts.js';

/** A report as pictures: one page without any outside file, and every chart as an SVG document of its own. */
export interface SuitePictures {
  readonly page: string;
  /** SVG by name: retrieval, chain, needle, probe, retention, rank, capacity. */
  readonly charts: Readonly<Record<string, string>>;
}

/** Draws the report of RSM's evaluation suite. */
export async function drawSuite(report: RsmReport): Promise<SuitePictures> {
  const drawn = Object.entries(suiteCharts(report)).map(
    async ([name, spec]) => [name, await renderChart(spec)] as const,
  );
  const charts = Object.fromEntries(await Promise.all(drawn));
  const { model, leak } = report;
  const picture = (name: string) => figure(charts[name]!);
  const sections = [
    section(
      'Retrieval at distance',
      taskText(report.retrieval) + picture('retrieval') + accuracies(report.retrieval),
    ),
    section('Chains', taskText(report.chain) + picture('chain') + accuracies(report.chain)),
    section('Needle in a haystack', taskText(report.needle) + picture('needle') + accuracies(report.needle)),
    section('What the memory is worth', memoryTable(report)),
    section('What is left of a fact', picture('probe')),
    section('How long the memory keeps', picture('retention') + halfLives(report) + picture('rank')),
    section('Capacity against cost', picture('capacity') + architectureTable(report)),
    section(
      'Does the model see the future?',
      `<p>A symbol that nothing foretells: an honest model cannot go below ln 8 = 2.079 nats.</p>${htmlTable(
        ['wiring', 'with the whole chunk in view', 'from the prefix only'],
        [
          [`this model (${model.preset})`, nats(leak.model.teacherForced), nats(leak.model.prefixOnly)],
          ['reference', nats(leak.reference.teacherForced), nats(leak.reference.prefixOnly)],
        ],
      )}`,
    ),
    `<script type="application/json" id="report">${JSON.stringify(report).replaceAll('<', '\\u003c')}</script>`,
  ];
  const page = htmlPage({
    title: 'RSM: what the memory can do',
    heading: 'RSM: what the memory can do',
    facts: [
      [
        'model',
        `${model.preset}, ${model.numLayers} blocks of width ${model.hiddenSize}, ${model.numMemorySlots} slots`,
      ],
      ['chunks', `${model.chunkSize} tokens`],
      ['state', `${report.stateBytes} bytes per text`],
      ['run', `${report.size}, seed ${report.seed}, ${report.engine}, ${report.seconds.toFixed(0)} s`],
    ],
    sections,
  });
  return { page, charts };
}

const percent = ({ value, interval: [low, high] }: Proportion) =>
  `${(100 * value).toFixed(1)} % (${(100 * low).toFixed(0)}–${(100 * high).toFixed(0)})`;
const nats = (value: number) => `${value.toFixed(3)} nats`;

const taskText = ({ trainedOn, loss }: TaskReport) =>
  `<p>Trained on ${escapeMarkup(trainedOn)}; last loss ${loss.toFixed(3)} nats per answer.</p>`;

function accuracies({ unit, accuracies: rows }: TaskReport): string {
  const cells = ({ chunks, length, difficulty, exact, amongAnswers, chance }: AnswerAccuracy) => [
    String(difficulty),
    `${length} in ${chunks} chunks`,
    percent(exact),
    percent(amongAnswers),
    `${(100 * chance).toFixed(1)} %`,
  ];
  return htmlTable([unit, 'tokens', 'exact (95 %)', 'among the answers (95 %)', 'chance'], rows.map(cells));
}

function memoryTable({ memory }: RsmReport): string {
  const names = {
    intact: 'as it is',
    freezeWrites: 'held at its start',
    zeroMemory: 'emptied',
    shuffleMemory: "another text's",
  } as const;
  const rows = (Object.keys(names) as (keyof typeof names)[]).map((key) => [
    names[key],
    percent(memory[key].amongAnswers),
  ]);
  return htmlTable(['memory between chunks', 'accuracy among the answers (95 %)'], rows);
}

function halfLives({ retention }: RsmReport): string {
  const show = (value: number | null) =>
    value !== null && Number.isFinite(value) ? value.toFixed(1) : 'longer than the texts';
  const { low, median, high } = retention.channelHalfLives;
  return htmlTable(
    ['half-life in chunks', ''],
    [
      ['whole memory', show(retention.halfLife)],
      ['slots', retention.slotHalfLives.map(show).join(', ')],
      ['channels, 10th, 50th and 90th percentile', [low, median, high].map(show).join(', ')],
    ],
  );
}

function architectureTable({ architecture }: RsmReport): string {
  return htmlTable(
    ['slots', 'chunk', 'parameters', 'bytes of state', 'tokens/s in training', 'accuracy (95 %)'],
    architecture.map(({ slots, chunk, parameters, stateBytes, tokensPerSecond, accuracy }) => [
      String(slots),
      String(chunk),
      String(parameters),
      String(stateBytes),
      tokensPerSecond.toFixed(0),
      percent(accuracy.amongAnswers),
    ]),
  );
}
