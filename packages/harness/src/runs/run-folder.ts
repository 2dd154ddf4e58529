import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { currentFolder, FolderLock, settleFolder, type TrainingEvent } from '@palimpsest/lm';
import { InputError } from '@palimpsest/tensor-core';
import { type CurvePoint, learningCurveSvg } from '../report/learning-curve.js';
import { MetricsFiles, type MetricsFormat } from './metrics-files.js';
import { CHECKPOINT_FOLDERS, CURVE, inspectFolder, METRICS, unusable } from './run-entries.js';

export interface RunFolderOptions {
  /** Folder of the checkpoint that the run goes on from. Default: the run is new. */
  readonly from?: string;
  /** Forms of the metrics to write besides `metrics.jsonl`. Default: those that the folder has already */
  readonly metrics?: readonly MetricsFormat[];
}

const lock = {
  file: 'run.lock',
  use: 'is being trained into',
  advice: 'wait for it, or choose another folder (--out)',
} as const;

/**
 * The folder of a training run: `latest/` and `best/` (checkpoints, written by the training loop), `metrics.jsonl` (one
 * event per line, without parameters) and `curve.svg`. It is claimed for one process, until `close`.
 */
export class RunFolder {
  readonly #metrics: string;
  readonly #lock: FolderLock;
  readonly #forms: MetricsFiles;

  /**
   * Claims a folder, and prepares it: a new run begins with empty metrics, one that goes on elsewhere takes those of its
   * past and its best checkpoint along.
   * @throws InputError when the folder holds another run, entries of others, or cannot be written to.
   */
  constructor(
    readonly path: string,
    options: RunFolderOptions = {},
  ) {
    const { from } = options;
    this.#metrics = join(path, METRICS);
    RunFolder.check(path, options);
    const origin = from === undefined ? undefined : dirname(resolve(from));
    try {
      mkdirSync(path, { recursive: true });
      this.#lock = FolderLock.claim(path, lock);
    } catch (error) {
      throw error instanceof InputError ? error : unusable(path, error);
    }
    try {
      for (const name of CHECKPOINT_FOLDERS) settleFolder(join(path, name));
      if (origin === resolve(path)) this.#dropTornLine();
      else this.#begin(origin);
      this.#forms = new MetricsFiles(path, options.metrics ?? [], readMetrics(this.#metrics));
    } catch (error) {
      this.#lock.release();
      throw error instanceof InputError ? error : unusable(path, error);
    }
  }

  /** The same refusals without touching anything. @throws InputError as the constructor. */
  static check(path: string, { from }: RunFolderOptions = {}): void {
    const contents = inspectFolder(path);
    const goesOn = from !== undefined;
    if (contents !== 'run' || (goesOn && dirname(resolve(from)) === resolve(path))) return;
    throw occupied(path, goesOn);
  }

  /** Adds an event to the metrics. @throws InputError when the disk takes no more. */
  record(event: TrainingEvent): void {
    const { params: _, ...rest } = { params: undefined, ...event };
    try {
      appendFileSync(this.#metrics, `${JSON.stringify(rest)}\n`);
      this.#forms.record(event);
    } catch (error) {
      throw unusable(this.path, error);
    }
  }

  /** Draws the learning curve. Returns the path of the picture. */
  async drawCurve(title: string): Promise<string> {
    const path = join(this.path, CURVE);
    writeFileSync(path, await learningCurveSvg(learningCurve(this.path), { title }));
    return path;
  }

  /** Gives the folder back. */
  close(): void {
    this.#lock.release();
  }

  #begin(origin: string | undefined): void {
    const past = origin === undefined ? [] : readMetrics(join(origin, METRICS));
    writeFileSync(this.#metrics, past.map((event) => `${JSON.stringify(event)}\n`).join(''));
    if (origin === undefined || !existsSync(join(origin, METRICS))) return;
    const best = currentFolder(join(origin, 'best'));
    if (!existsSync(best)) return;
    // Under the name of an unfinished folder first: a kill in the middle of the copy leaves no half of a checkpoint.
    const copy = join(this.path, 'best.partial');
    cpSync(best, copy, { recursive: true });
    renameSync(copy, join(this.path, 'best'));
  }

  /** A line that a power failure cut off says nothing, and would spoil the next one. */
  #dropTornLine(): void {
    if (!existsSync(this.#metrics)) return;
    const text = readFileSync(this.#metrics, 'utf8');
    const whole = text.slice(0, text.lastIndexOf('\n') + 1);
    if (whole.length < text.length) writeFileSync(this.#metrics, whole);
  }
}

function occupied(path: string, goesOn: boolean): InputError {
  return new InputError(
    goesOn
      ? `The folder '${path}' holds another run, whose checkpoint would be lost; choose another folder (--out), or go on with that run (--load ${path}).`
      : `The folder '${path}' holds a run already; go on with it (--load ${path}) or choose another folder (--out).`,
  );
}

/** The learning curve of everything that a run recorded, the steps before a resume among it. */
export function learningCurve(folder: string): CurvePoint[] {
  const points = new Map<number, { step: number; loss: number; validationLoss?: number }>();
  for (const event of pastEvents(folder)) {
    if (event.type === 'step') points.set(event.step, { step: event.step, loss: event.loss });
    if (event.type !== 'validation') continue;
    const point = points.get(event.step);
    if (point) point.validationLoss = event.result.loss;
  }
  return [...points.values()].sort((a, b) => a.step - b.step);
}

/** Everything that the run of a folder recorded so far. */
export const pastEvents = (folder: string): TrainingEvent[] => readMetrics(join(folder, METRICS));

/**
 * The events of a run's metrics. A last line that is cut off counts as not written: it may be about to be.
 * @throws InputError naming the line that is damaged otherwise.
 */
export function readMetrics(path: string): TrainingEvent[] {
  if (!existsSync(path)) return [];
  const lines = readFileSync(path, 'utf8').split('\n');
  return lines.flatMap((line, index) => {
    if (line === '') return [];
    try {
      return [JSON.parse(line) as TrainingEvent];
    } catch {
      if (index === lines.length - 1) return [];
      throw new InputError(`Line ${index + 1} of '${path}' is no JSON; remove it.`);
    }
  });
}
