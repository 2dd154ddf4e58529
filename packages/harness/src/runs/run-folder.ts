import { appendFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TrainingEvent } from '@palimpsest/lm';
import { InputError } from '@palimpsest/tensor-core';
import { type CurvePoint, learningCurveSvg } from '../report/learning-curve.js';

const METRICS = 'metrics.jsonl';
const CURVE = 'curve.svg';

/**
 * The folder of a training run: `latest/` and `best/` (checkpoints, written by the training loop), `metrics.jsonl` (one
 * event per line, without parameters) and `curve.svg`.
 */
export class RunFolder {
  readonly #metrics: string;

  /** @throws InputError when a new run would overwrite another one. */
  constructor(
    readonly path: string,
    options: { readonly resumed: boolean },
  ) {
    this.#metrics = join(path, METRICS);
    if (!options.resumed && existsSync(this.#metrics)) {
      throw new InputError(
        `The folder '${path}' holds a run already; go on with it (--load ${path}) or choose another folder (--out).`,
      );
    }
    mkdirSync(path, { recursive: true });
  }

  /** Adds an event to the metrics. */
  record(event: TrainingEvent): void {
    const { params: _, ...rest } = { params: undefined, ...event };
    appendFileSync(this.#metrics, `${JSON.stringify(rest)}\n`);
  }

  /** The learning curve of everything recorded, the steps before a resume among it. */
  curve(): CurvePoint[] {
    const points = new Map<number, { step: number; loss: number; validationLoss?: number }>();
    for (const event of this.#events()) {
      if (event.type === 'step') points.set(event.step, { step: event.step, loss: event.loss });
      if (event.type !== 'validation') continue;
      const point = points.get(event.step);
      if (point) point.validationLoss = event.result.loss;
    }
    return [...points.values()].sort((a, b) => a.step - b.step);
  }

  /** Draws the learning curve. Returns the path of the picture. */
  async drawCurve(title: string): Promise<string> {
    const path = join(this.path, CURVE);
    writeFileSync(path, await learningCurveSvg(this.curve(), { title }));
    return path;
  }

  #events(): TrainingEvent[] {
    if (!existsSync(this.#metrics)) return [];
    const lines = readFileSync(this.#metrics, 'utf8').split('\n');
    return lines.filter((line) => line !== '').map((line) => JSON.parse(line) as TrainingEvent);
  }
}
