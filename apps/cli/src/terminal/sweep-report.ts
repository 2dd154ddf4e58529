import { cellLabel, type SweepEvent, type SweepStatus } from '@palimpsest/harness';
import { MultiBar, Presets, type SingleBar } from 'cli-progress';
import type { Output } from './output.js';
import { formatDuration } from './progress.js';

/** Milliseconds between two drawings of the bar while nothing happens but time. */
const TICK = 1000;

/** Shows cells as they are computed. */
export interface SweepReport {
  show(event: SweepEvent, status: SweepStatus): void;
  stop(): void;
}

/** A bar on a terminal, a line per finished cell elsewhere, nothing when quiet. Always on standard error. */
export function createSweepReport(output: Output): SweepReport {
  if (output.quiet) return { show() {}, stop() {} };
  return process.stderr.isTTY ? barReport() : lineReport(output);
}

function lineReport(output: Output): SweepReport {
  return {
    show(event, status) {
      if (event.type === 'plan') output.note(planOf(event));
      if (event.type === 'result') output.note(`${resultLine(event)}; ${countsOf(status)}`);
    },
    stop() {},
  };
}

function barReport(): SweepReport {
  let bars: MultiBar | undefined;
  let bar: SingleBar | undefined;
  let timer: NodeJS.Timeout | undefined;
  const running = new Map<string, string>();
  let current: { readonly status: SweepStatus; readonly since: number } | undefined;
  const draw = () => {
    if (!bar || !current) return;
    const { status, since } = current;
    const passed = (performance.now() - since) / 1000;
    const left = status.secondsLeft === undefined ? undefined : Math.max(0, status.secondsLeft - passed);
    bar.update(status.done + status.failed, {
      counts: countsOf({ ...status, secondsLeft: left }),
      note: [...running.values()].at(-1) ?? '',
    });
  };
  return {
    show(event, status) {
      current = { status, since: performance.now() };
      if (event.type === 'plan') {
        bars = new MultiBar(
          {
            format: '{bar} {counts}  {note}',
            stream: process.stderr,
            hideCursor: true,
            barsize: 20,
            linewrap: false,
          },
          Presets.shades_classic,
        );
        bars.log(`${planOf(event)}\n`);
        bar = bars.create(status.total, status.done, { counts: '', note: '' });
        timer = setInterval(draw, TICK);
      } else if (event.type === 'result') {
        running.delete(event.cell.key);
        if (event.result.status === 'failed') bars?.log(`${resultLine(event)}\n`);
      } else {
        const label = cellLabel(event.cell.spec);
        running.set(event.cell.key, event.type === 'start' ? label : `${label}: ${event.note}`);
      }
      draw();
    },
    stop() {
      clearInterval(timer);
      bars?.stop();
    },
  };
}

function planOf({ cells, finished }: Extract<SweepEvent, { type: 'plan' }>): string {
  const known = finished === 0 ? '' : `, ${finished} are finished already`;
  return `${cells.length} cells to compute${known}`;
}

function resultLine({ cell, result }: Extract<SweepEvent, { type: 'result' }>): string {
  const mark = result.status === 'done' ? '✓' : '✗';
  const reason = result.error === undefined ? '' : `: ${result.error.replace(/\.$/, '')}`;
  return `${mark} ${cellLabel(cell.spec)} (${result.seconds.toFixed(1)} s)${reason}`;
}

/** How many cells are done, running and failed, and how long the rest will take. */
function countsOf({ total, done, failed, running, secondsLeft }: SweepStatus): string {
  const left = secondsLeft === undefined ? '' : `, ${formatDuration(secondsLeft)} left`;
  return `${done} of ${total} done, ${running} running, ${failed} failed${left}`;
}
