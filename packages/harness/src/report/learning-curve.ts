import { renderChart } from './charts/chart.js';
import { lineChart } from './charts/line-chart.js';

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

/** Draws a learning curve: smoothed training loss, and held-out loss where it was measured, in nats per token. */
export async function learningCurveSvg(
  points: readonly CurvePoint[],
  options: LearningCurveOptions = {},
): Promise<string> {
  const { title = 'Learning curve', smoothing = 0.05 } = options;
  const validation = points.flatMap(({ step, validationLoss }) =>
    validationLoss === undefined ? [] : [{ x: step, y: validationLoss }],
  );
  const series = [
    { name: 'training (smoothed)', points: thin(exponentialAverage(points, smoothing)) },
    ...(validation.length > 0 ? [{ name: 'held-out', points: validation }] : []),
  ];
  const axes = { title, xTitle: 'step', yTitle: 'loss (nats per token)' };
  return renderChart(lineChart(series, axes), '#ffffff');
}

/** The training loss of every step, averaged with weights that fade: `weight` is that of the newest one. */
export function exponentialAverage(points: readonly CurvePoint[], weight: number): Point[] {
  let average: number | undefined;
  return points.map(({ step, loss }) => {
    average = average === undefined ? loss : average + weight * (loss - average);
    return { x: step, y: average };
  });
}

/** Keeps evenly spaced points, the first and the last among them. */
function thin(points: readonly Point[]): Point[] {
  if (points.length <= MAX_POINTS) return [...points];
  const stride = (points.length - 1) / (MAX_POINTS - 1);
  return Array.from({ length: MAX_POINTS }, (_, index) => points[Math.round(index * stride)]!);
}
