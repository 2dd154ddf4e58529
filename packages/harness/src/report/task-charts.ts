import type { CellMetric } from '../cells/cell.js';
import type { Aggregate } from '../results/aggregate.js';
import { groupBy } from '../results/group-by.js';
import { aggregateName } from './aggregate-name.js';
import { type ChartPoint, type ChartSpec, lineChart } from './charts.js';

/** What a task's cells show as pictures: the headline against memory, against the slices, and what was learned when. */
export function taskCharts(groups: readonly Aggregate[]): ChartSpec[] {
  return [memoryChart(groups), sliceChart(groups), ...curveCharts(groups)].filter(
    (chart): chart is ChartSpec => chart !== undefined,
  );
}

function memoryChart(groups: readonly Aggregate[]): ChartSpec | undefined {
  const { title, headline, family } = groups[0]!.task;
  const points = groups.flatMap(({ best, contender }) => {
    const bytes = best.results[0]?.outcome?.stateBytes;
    return bytes === undefined || best.mean === undefined || !contender
      ? []
      : [{ x: bytes, y: best.mean, series: contender.title }];
  });
  if (family === 'efficiency' || new Set(points.map(({ x }) => x)).size < 2) return undefined;
  return lineChart(sorted(points), {
    title: `${title}: ${headline.metric} against memory`,
    xTitle: 'bytes of state per text',
    yTitle: titleOf(headline.metric, headline.unit),
    xScale: 'log',
  });
}

/** The headline against the first number that its slices differ in, mean over the others. */
function sliceChart(groups: readonly Aggregate[]): ChartSpec | undefined {
  const { title, headline } = groups[0]!.task;
  const named = (group: Aggregate) =>
    group.best.results.flatMap(({ outcome }) =>
      outcome!.metrics.filter(({ name }) => name === headline.metric),
    );
  const axis = firstAxis(groups.flatMap(named));
  if (axis === undefined) return undefined;
  const points = groups.flatMap((group) => {
    const places = groupBy(
      named(group).filter(({ slice }) => typeof slice[axis] === 'number'),
      ({ slice }) => slice[axis] as number,
    );
    const series = aggregateName(group, groups);
    return [...places].map(([x, metrics]) => ({ x, y: mean(metrics), series }));
  });
  return lineChart(sorted(points), {
    title: `${title}: ${headline.metric} by ${axis}`,
    xTitle: axis,
    yTitle: titleOf(headline.metric, headline.unit),
    xScale: 'log',
  });
}

function firstAxis(metrics: readonly CellMetric[]): string | undefined {
  const names = new Set(metrics.flatMap(({ slice }) => Object.keys(slice)));
  return [...names].find(
    (name) =>
      new Set(metrics.map(({ slice }) => slice[name]).filter((value) => typeof value === 'number')).size > 1,
  );
}

/** One chart per kind of curve: the first seed at the best rate. */
function curveCharts(groups: readonly Aggregate[]): ChartSpec[] {
  const curves = groups.flatMap((group) =>
    (group.best.results[0]?.outcome?.curves ?? []).map((curve) => ({
      ...curve,
      series: aggregateName(group, groups),
    })),
  );
  return [...groupBy(curves, ({ name }) => name)].map(([name, same]) => {
    const points = same.flatMap(({ points: xy, series }) => xy.map(([x, y]) => ({ x, y, series })));
    const { xTitle, yTitle } = same[0]!;
    return lineChart(points, { title: `${groups[0]!.task.title}: ${name}`, xTitle, yTitle });
  });
}

function sorted(points: ChartPoint[]): ChartPoint[] {
  return points.sort((a, b) => a.x - b.x);
}

function mean(metrics: readonly CellMetric[]): number {
  return metrics.reduce((sum, { value }) => sum + value, 0) / metrics.length;
}

function titleOf(metric: string, unit: string): string {
  return unit === '' ? metric : `${metric} (${unit})`;
}
