import { setImmediate } from 'node:timers/promises';
import { TrainingWatch } from '@palimpsest/harness';
import type { TrainingEvent } from '@palimpsest/lm';
import type { Output } from './output.js';

/** The page that shows a run while it goes on. */
export interface LiveTraining {
  show(event: TrainingEvent): Promise<void>;
  fail(error: unknown): void;
  /** Sends the last state to everybody who looks, and ends. */
  close(): Promise<void>;
}

/** Serves the page of a run at this machine's own address, says where, and opens a browser where there is one. */
export async function openLiveTraining(folder: string, output: Output): Promise<LiveTraining> {
  // The one option that needs an HTTP server.
  const { startLivePage } = await import('@palimpsest/serve');
  const watch = new TrainingWatch(folder);
  const live = await startLivePage({ render: () => watch.page() });
  output.note(`live page: ${live.url} (it ends with the run)`);
  await openBrowser(live.url, () =>
    output.note(`No browser could be opened; open ${live.url} in one of this machine.`),
  );
  return {
    async show(event) {
      watch.add(event);
      live.changed();
      // Engines that compute in this thread leave the server no other moment.
      await setImmediate();
    },
    fail: (error) => watch.fail(error),
    close: () => live.close(),
  };
}

/** Opens an address in the browser of whoever sits here; a machine without one is no failure. */
async function openBrowser(url: string, onFailure: () => void): Promise<void> {
  try {
    const { default: open } = await import('open');
    const opener = await open(url);
    opener.once('error', onFailure);
    opener.once('exit', (code) => {
      if (code !== 0) onFailure();
    });
  } catch {
    onFailure();
  }
}
