import type { MemLLM4 } from '../model/mem-llm.js';
import { stepTexts } from './corpus.js';
import { type StepReport, Trainer4, type TrainerOptions } from './trainer.js';

export interface TrainAdaptersOptions extends TrainerOptions {
  /** Default 60. */
  readonly steps?: number;
  /** Texts per step. Default 3. */
  readonly batch?: number;
  /** Told every step. */
  readonly onStep?: (step: number, report: StepReport) => void;
  /** Stops between two steps. */
  readonly signal?: AbortSignal;
}

/** What a run of the published trainer leaves behind. */
export interface TrainedAdapters {
  readonly steps: number;
  readonly elapsedSeconds: number;
  readonly preProbe: Readonly<Record<string, number>>;
  readonly postProbe: Readonly<Record<string, number>>;
}

/** Trains the adapters of a memory on twelve sentences, as the published program does; the memory is empty afterwards. */
export async function trainAdapters(
  memory: MemLLM4,
  options: TrainAdaptersOptions = {},
): Promise<TrainedAdapters> {
  const { steps = 60, batch = 3, onStep, signal, ...rest } = options;
  const trainer = new Trainer4(memory, rest);
  const start = performance.now();
  const preProbe = trainer.probe();
  let done = 0;
  try {
    while (done < steps && !signal?.aborted) {
      const report = await trainer.step(stepTexts(done, batch));
      onStep?.(done, report);
      done += 1;
    }
    return {
      steps: done,
      elapsedSeconds: (performance.now() - start) / 1000,
      preProbe,
      postProbe: trainer.probe(),
    };
  } finally {
    memory.clear();
    await trainer.dispose();
  }
}
