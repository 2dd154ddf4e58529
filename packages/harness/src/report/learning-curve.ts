import { renderChart } from './charts/chart.js';
import { type Axes, lineChart, type Series } from './charts/line-chart.js';

/** One measurement of a training run, as it stands in `metrics.jsonl`. */
export interface CurvePoint {
  readonly step: number;
  /** Training loss in nats per token. */
  readonly loss: number;
  /** Loss on held-out text in nats per token, at the steps where it was measured. */
  readonly validationLoss?: number;
}

export interface LearningCurveOptions {
  /** Default 'Learning curve'. */
  readonly title?: string;
  /** Weight of the newest value in the smoothed line, in (0, 1]. Default 0.05; the first value starts it. */
  readonly smoothing?: number;
}

interface Point {
  readonly x: number;
  readonly y: number;
}

/** More points than pixels only make the file larger. */
const MAX_POINTS = 400;

/** Lines and axes of a learning curve: smoothed training loss, and held-out loss where it was measured, in nats per token. */
export function learningCurveLines(
  points: readonly CurvePoint[],
  options: LearningCurveOptions = {},
): { readonly lines: readonly Series[]; readonly axes: Pick<Axes, 'title' | 'xTitle' | 'yTitle'> } {
  const { title = 'Learning curve', smoothing = 0.05 } = options;
  const validation = points.flatMap(({ step, validationLoss }) =>
    validationLoss === undefined ? [] : [{ x: step, y: validationLoss }],
  );
  const lines = [
    { name: 'training (smoothed)', points: thin(exponentialAverage(trainingLosses(points), smoothing)) },
    ...(validation.length > 0 ? [{ name: 'held-out', points: validation }] : []),
  ];
  return { lines, axes: { title, xTitle: 'step', yTitle: 'loss (nats per token)' } };
}

/** Draws a learning curve as a stand-alone SVG document. */
export async function learningCurveSvg(
  points: readonly CurvePoint[],
  options?: LearningCurveOptions,
): Promise<string> {
  const { lines, axes } = learningCurveLines(points, options);
  return renderChart(lineChart(lines, axes), '#ffffff');
}

/** Values averaged with weights that fade: `weight` is that of the newest one. */
export function exponentialAverage(points: readonly Point[], weight: number): Point[] {
  let average: number | undefined;
  return points.map(({ x, y }) => {
    average = average === undefined ? y : average + weight * (y - average);
    return { x, y: average };
  });
}

/** The training loss of every step. */
export const trainingLosses = (curve: readonly CurvePoint[]): Point[] =>
  curve.map(({ step, loss }) => ({ x: step, y: loss }));

/** At most 400 evenly spaced points, the first and the last among them. */
export function thin(points: readonly Point[]): Point[] {
  if (points.length <= MAX_POINTS) return [...points];
  const stride = (points.length - 1) / (MAX_POINTS - 1);
  return Array.from({ length: MAX_POINTS }, (_, index) => points[Math.round(index * stride)]!);
}
