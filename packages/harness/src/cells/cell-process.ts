import { registryWith } from '../plugins/load-plugins.js';
import type { CellOrder, CellReport } from './cell-messages.js';
import { runCell, sentenceOf } from './run-cell.js';

/** Between two reports of progress, milliseconds. */
const PROGRESS_INTERVAL = 100;

/**
 * The program of a cell process: it is told one cell by its parent, computes it, reports, and ends. Without a parent it
 * ends at once, so that nothing is computed for nobody.
 */
function serveOneCell(): void {
  // Ctrl-C reaches the whole process group; the parent decides what it means.
  process.on('SIGINT', () => {});
  process.on('disconnect', () => process.exit(1));
  process.once('message', async (order: CellOrder) => {
    const report = await answer(order);
    await tell(report);
    process.exit(0);
  });
  void tell({ type: 'ready' });
}

async function answer({ spec, versions, threads, plugins }: CellOrder): Promise<CellReport> {
  let lastProgress = 0;
  try {
    const result = await runCell(await registryWith(plugins), spec, {
      versions,
      threads,
      onStart: (provenance) => void tell({ type: 'start', provenance }),
      onProgress(fraction, note) {
        if (performance.now() - lastProgress < PROGRESS_INTERVAL) return;
        lastProgress = performance.now();
        void tell({ type: 'progress', fraction, note });
      },
    });
    return { type: 'result', result };
  } catch (error) {
    return { type: 'refused', error: sentenceOf(error) };
  }
}

function tell(report: CellReport): Promise<void> {
  return new Promise((resolve) => {
    process.send!(report, () => resolve());
  });
}

serveOneCell();
