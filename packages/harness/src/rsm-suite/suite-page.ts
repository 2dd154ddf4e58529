import type { AnswerAccuracy, Proportion, RsmReport, TaskReport } from '@palimpsest/rsm';
import { drawChart, renderChart } from '../report/charts/chart.js';
import { htmlTable, paragraph, type Section } from '../report/html-parts.js';
import { type Markup, markup } from '../report/markup.js';
import { htmlPage } from '../report/page-frame.js';
import { suiteCharts } from './suite-charts.js';

/** A report as pictures: one page without any outside file, and every chart as an SVG document of its own. */
export interface SuitePictures {
  readonly page: string;
  /** SVG by name: retrieval, chain, needle, probe, retention, rank, capacity. */
  readonly charts: Readonly<Record<string, string>>;
}

/** Draws the report of RSM's evaluation suite. */
export async function drawSuite(report: RsmReport): Promise<SuitePictures> {
  const charts: Record<string, string> = {};
  const figures: Record<string, Markup> = {};
  for (const [name, spec] of Object.entries(suiteCharts(report))) {
    charts[name] = await renderChart(spec, '#ffffff');
    figures[name] = markup`<figure>${await drawChart(spec, name)}</figure>`;
  }
  const { model, leak } = report;
  const picture = (name: string) => figures[name]!;
  const sections = [
    section('retrieval', 'Retrieval at distance', [
      taskText(report.retrieval),
      picture('retrieval'),
      accuracies(report.retrieval),
    ]),
    section('chain', 'Chains', [taskText(report.chain), picture('chain'), accuracies(report.chain)]),
    section('needle', 'Needle in a haystack', [
      taskText(report.needle),
      picture('needle'),
      accuracies(report.needle),
    ]),
    section('memory', 'What the memory is worth', [memoryTable(report)]),
    section('probe', 'What is left of a fact', [picture('probe')]),
    section('retention', 'How long the memory keeps', [
      picture('retention'),
      halfLives(report),
      picture('rank'),
    ]),
    section('capacity', 'Capacity against cost', [picture('capacity'), architectureTable(report)]),
    section('leak', 'Does the model see the future?', [
      paragraph('A symbol that nothing foretells: an honest model cannot go below ln 8 = 2.079 nats.'),
      htmlTable(
        ['wiring', 'with the whole chunk in view', 'from the prefix only'],
        [
          [`this model (${model.preset})`, nats(leak.model.teacherForced), nats(leak.model.prefixOnly)],
          ['reference', nats(leak.reference.teacherForced), nats(leak.reference.prefixOnly)],
        ],
      ),
    ]),
  ];
  const page = htmlPage({
    title: 'RSM: what the memory can do',
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
    data: { id: 'report', value: report },
  });
  return { page, charts };
}

const section = (id: string, title: string, body: readonly Markup[]): Section => ({ id, title, body });
const percent = ({ value, interval: [low, high] }: Proportion) =>
  `${(100 * value).toFixed(1)} % (${(100 * low).toFixed(0)}–${(100 * high).toFixed(0)})`;
const nats = (value: number) => `${value.toFixed(3)} nats`;

const taskText = ({ trainedOn, loss }: TaskReport) =>
  paragraph(`Trained on ${trainedOn}; last loss ${loss.toFixed(3)} nats per answer.`);

function accuracies({ unit, accuracies: rows }: TaskReport): Markup {
  const cells = ({ chunks, length, difficulty, exact, amongAnswers, chance }: AnswerAccuracy) => [
    String(difficulty),
    `${length} in ${chunks} chunks`,
    percent(exact),
    percent(amongAnswers),
    `${(100 * chance).toFixed(1)} %`,
  ];
  return htmlTable([unit, 'tokens', 'exact (95 %)', 'among the answers (95 %)', 'chance'], rows.map(cells));
}

function memoryTable({ memory }: RsmReport): Markup {
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

function halfLives({ retention }: RsmReport): Markup {
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

function architectureTable({ architecture }: RsmReport): Markup {
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
