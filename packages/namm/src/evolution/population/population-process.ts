import { createEngine, type Engine } from '@palimpsest/tensor-core';
import { ChunkRunner } from './chunk-runner.js';
import type { ProcessAnswer, ProcessOrder, ProcessSetup } from './process-runner.js';

/**
 * The program of a process that judges members: it is told a model by its parent, and runs one chunk after the other until
 * the parent lets go of it.
 */
function serve(): void {
  // Ctrl-C reaches the whole process group; the parent decides what it means.
  process.on('SIGINT', () => {});
  process.on('disconnect', () => process.exit(0));
  let runner: Promise<ChunkRunner> | undefined;
  process.on('message', async (message: ProcessSetup | ProcessOrder) => {
    if (message.type === 'setup') {
      runner = createEngine('auto').then((engine: Engine) => new ChunkRunner(engine, message.model));
      // Its failure is told with the first order.
      runner.catch(() => {});
      return;
    }
    tell(await answer(runner!, message));
  });
  tell({ type: 'ready' });
}

async function answer(runner: Promise<ChunkRunner>, { order }: ProcessOrder): Promise<ProcessAnswer> {
  try {
    return { type: 'result', result: await (await runner).run(order) };
  } catch (error) {
    return { type: 'failed', error: error instanceof Error ? error.message : String(error) };
  }
}

function tell(message: ProcessAnswer): void {
  process.send!(message);
}

serve();
