import { createPace, formatDuration } from '@palimpsest/harness';
import { openLiveLine } from './live-line.js';
import type { Output } from './output.js';

/** Shows how far long work is, how fast it goes and how long it will take. */
export interface Progress {
  /**
   * @param done work finished so far, in the unit of `total`.
   * @param notes what else is to be said, the most needed first: a narrow terminal leaves out the last ones
   */
  update(done: number, ...notes: readonly string[]): void;
  stop(): void;
}

export interface ProgressOptions {
  readonly title: string;
  readonly total: number;
  /** What was done before the start; rate and time left count from here. Default 0. */
  readonly from?: number;
  /** What is counted, as in 'steps'; without it only the share is shown. */
  readonly unit?: string;
  /** Where it is shown, remarks above it. */
  readonly output: Output;
}

const SECONDS_BETWEEN_LINES = 5;

/** A bar on a terminal, a plain line now and then elsewhere, nothing when quiet. Always on standard error. */
export function createProgress(options: ProgressOptions): Progress {
  if (options.output.quiet) return { update() {}, stop() {} };
  return process.stderr.isTTY ? barProgress(options) : lineProgress(options);
}

/** The progress of loading weights, from the first tensor on. */
export function followLoading(output: Output) {
  let progress: Progress | undefined;
  return {
    onProgress: ({ done, total }: { readonly done: number; readonly total: number }): void => {
      progress ??= createProgress({ title: 'load', total, unit: 'tensors', output });
      progress.update(done);
    },
    stop: (): void => progress?.stop(),
  };
}

function barProgress({ title, total, unit, from = 0, output }: ProgressOptions): Progress {
  const pace = createPace(total, from);
  let share = from / Math.max(1, total);
  let parts: readonly string[] = unit === undefined ? [] : [`${from}/${total} ${unit}`];
  const line = openLiveLine(() => ({ title, share, parts }));
  const end = output.during(line);
  let isOpen = true;
  return {
    update(done, ...notes) {
      const { rate, secondsLeft } = pace(done);
      share = done / Math.max(1, total);
      const amount =
        unit === undefined
          ? `${Math.round(share * 100)} %`
          : `${done}/${total} ${unit}, ${formatRate(rate)}/s`;
      const left = done < total ? [`${formatDuration(secondsLeft)} left`] : [];
      parts = [amount, ...left, ...notes.filter((note) => note !== '')];
    },
    stop() {
      if (!isOpen) return;
      isOpen = false;
      end();
      line.stop();
    },
  };
}

function lineProgress({ title, total, unit, from = 0 }: ProgressOptions): Progress {
  const pace = createPace(total, from);
  let lastLine = performance.now();
  let lastDone = 0;
  return {
    update(done, ...notes) {
      const now = performance.now();
      const finished = done >= total && lastDone < total;
      if (!finished && now - lastLine < SECONDS_BETWEEN_LINES * 1000) return;
      lastLine = now;
      lastDone = done;
      const { rate, secondsLeft } = pace(done);
      const percent = Math.round((done / Math.max(1, total)) * 100);
      const parts =
        unit === undefined
          ? [`${percent} %`]
          : [`${done}/${total} ${unit} (${percent} %)`, `${formatRate(rate)}/s`];
      if (done < total) parts.push(`${formatDuration(secondsLeft)} left`);
      process.stderr.write(`${title}: ${[...parts, ...notes.filter((note) => note !== '')].join(', ')}\n`);
    },
    stop() {},
  };
}

function formatRate(rate: number): string {
  return rate >= 100 ? rate.toFixed(0) : rate.toFixed(rate >= 10 ? 1 : 2);
}
