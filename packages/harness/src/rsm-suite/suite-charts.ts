import type { AnswerAccuracy, RsmReport, TaskReport } from '@palimpsest/rsm';
import type { ChartSpec } from '../report/charts/chart.js';
import { type Axes, lineChart, type Series } from '../report/charts/line-chart.js';

const ACCURACY = { yTitle: 'accuracy among the answers', yDomain: [0, 1] as const };

/** The charts of a suite's report by the names of their files. */
export function suiteCharts(report: RsmReport): Readonly<Record<string, ChartSpec>> {
  return {
    retrieval: accuracyChart(report.retrieval, 'Retrieval at distance', (row) => row.difficulty),
    chain: accuracyChart(report.chain, 'Chains of hidden results', (row) => row.difficulty),
    needle: accuracyChart(report.needle, 'Needle in a haystack, pairs drawn anew', (row) => row.length),
    probe: probeChart(report),
    retention: retentionChart(report),
    rank: rankChart(report),
    capacity: capacityChart(report),
  };
}

interface ChartPoint {
  readonly x: number;
  readonly y: number;
  readonly series: string;
}

/** Points that name their line. */
function chart(points: readonly ChartPoint[], axes: Axes): ChartSpec {
  const names = [...new Set(points.map(({ series }) => series))];
  const lines = names.map(
    (name): Series => ({ name, points: points.filter(({ series }) => series === name) }),
  );
  return lineChart(lines, axes);
}

/** Accuracy with its interval and chance against how hard the question is. */
function accuracyChart(
  { unit, accuracies, task }: TaskReport,
  title: string,
  difficultyOf: (row: AnswerAccuracy) => number,
): ChartSpec {
  const points = accuracies.flatMap((row): ChartPoint[] => {
    const x = difficultyOf(row);
    const [low, high] = row.amongAnswers.interval;
    return [
      { x, y: row.amongAnswers.value, series: 'accuracy' },
      { x, y: low, series: '95 % interval, low' },
      { x, y: high, series: '95 % interval, high' },
      { x, y: row.chance, series: 'chance' },
    ];
  });
  const isWide =
    Math.max(...points.map(({ x }) => x)) > 16 * Math.max(1, Math.min(...points.map(({ x }) => x)));
  const xTitle = task === 'needle' ? 'tokens of the haystack' : unit;
  return chart(points, { title, xTitle, ...ACCURACY, xScale: isWide ? 'log' : 'linear' });
}

function probeChart({ probe }: RsmReport): ChartSpec {
  const points = probe.flatMap(({ age, together, slots, chance }): ChartPoint[] => [
    { x: age, y: together.value, series: 'all slots' },
    { x: age, y: Math.max(...slots), series: 'best slot' },
    { x: age, y: chance, series: 'chance' },
  ]);
  return chart(points, {
    title: 'What a linear map reads out of the memory, held out',
    xTitle: 'age of the fact in chunks',
    yTitle: 'accuracy',
    yDomain: [0, 1],
  });
}

function retentionChart({ retention }: RsmReport): ChartSpec {
  const { ratios, cosines, halfLife } = retention;
  const points = [
    ...ratios.map((y, x) => ({ x, y, series: 'rest of a disturbance' })),
    ...cosines.map((y, x) => ({ x: x + 1, y, series: 'cosine to the chunk before' })),
  ];
  const life = Number.isFinite(halfLife) ? `${halfLife.toFixed(1)} chunks` : 'longer than the texts';
  return chart(points, {
    title: `Retention: half-life ${life}`,
    xTitle: 'chunks',
    yTitle: 'share',
    yDomain: [0, 1],
  });
}

function rankChart({ retention, model }: RsmReport): ChartSpec {
  const points = retention.participation.map((y, x) => ({ x, y, series: 'participation ratio' }));
  return chart(points, {
    title: `Effective rank of the ${model.numMemorySlots} slots`,
    xTitle: 'chunks',
    yTitle: 'effective rank',
    yDomain: [0, model.numMemorySlots],
  });
}

function capacityChart({ architecture }: RsmReport): ChartSpec {
  const points = architecture.map(({ slots, chunk, stateBytes, accuracy }) => ({
    x: stateBytes,
    y: accuracy.amongAnswers.value,
    series: `${slots} slots, chunks of ${chunk}`,
  }));
  return chart(points, {
    joined: false,
    title: 'Capacity against cost, trained with an equal budget',
    xTitle: 'bytes of state per text',
    xScale: 'log',
    ...ACCURACY,
  });
}
