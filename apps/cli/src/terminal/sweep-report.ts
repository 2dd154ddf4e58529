import { cellLabel, formatDuration, type SweepEvent, type SweepStatus } from '@palimpsest/harness';
import { openLiveLine } from './live-line.js';
import type { Output } from './output.js';

/** Shows cells as they are computed. */
export interface SweepReport {
  show(event: SweepEvent, status: SweepStatus): void;
  stop(): void;
}

/** A bar on a terminal, a line per finished cell elsewhere, nothing when quiet. Always on standard error. */
export function createSweepReport(output: Output): SweepReport {
  if (output.quiet) return { show() {}, stop() {} };
  return process.stderr.isTTY ? barReport(output) : lineReport(output);
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

function barReport(output: Output): SweepReport {
  const running = new Map<string, string>();
  let current: { readonly status: SweepStatus; readonly since: number } | undefined;
  let stop = () => {};
  const contents = () => {
    if (!current) return { share: 0, parts: [] };
    const { status, since } = current;
    const passed = (performance.now() - since) / 1000;
    const left = status.secondsLeft === undefined ? undefined : Math.max(0, status.secondsLeft - passed);
    return {
      share: (status.done + status.failed) / Math.max(1, status.total),
      parts: [countsOf({ ...status, secondsLeft: left }), ...[...running.values()].slice(-1)],
    };
  };
  return {
    show(event, status) {
      current = { status, since: performance.now() };
      if (event.type === 'plan') {
        const line = openLiveLine(contents);
        const end = output.during(line);
        stop = () => {
          end();
          line.stop();
        };
        output.note(planOf(event));
      } else if (event.type === 'result') {
        running.delete(event.cell.key);
        if (event.result.status === 'failed') output.note(resultLine(event));
      } else {
        const label = cellLabel(event.cell.spec);
        running.set(event.cell.key, event.type === 'start' ? label : `${label}: ${event.note}`);
      }
    },
    stop: () => stop(),
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
