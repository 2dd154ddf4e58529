import type { ArchitectureGrid } from './ablations.js';
import type { AnswerBatchesOptions } from './answer-task.js';

/** How a task is trained and tested, in chunks of the model. */
export interface TaskSize {
  readonly chunks: readonly number[];
  readonly steps: number;
  readonly testChunks: readonly number[];
  readonly samples: number;
  readonly placement?: AnswerBatchesOptions['placement'];
}

/** How much work every part of the suite does. */
export interface SuiteSizes {
  readonly retrieval: TaskSize;
  readonly chain: TaskSize;
  readonly needle: TaskSize;
  readonly memory: { readonly chunks: number; readonly samples: number };
  readonly probe: { readonly texts: number; readonly ages: readonly number[]; readonly epochs: number };
  readonly retention: { readonly texts: number; readonly chunks: number };
  readonly architecture: { readonly grid: ArchitectureGrid; readonly steps: number };
  readonly leakSteps: number;
}

export type SuiteSize = 'smoke' | 'quick' | 'full';

const MIXED = [2, 3, 4, 5, 6];

export const suiteSizes: Readonly<Record<SuiteSize, SuiteSizes>> = {
  smoke: {
    retrieval: { chunks: [2, 3], steps: 30, testChunks: [2, 4], samples: 64, placement: 'firstChunk' },
    chain: { chunks: [2, 3], steps: 30, testChunks: [2, 3], samples: 64 },
    needle: { chunks: [4], steps: 30, testChunks: [4], samples: 64 },
    memory: { chunks: 3, samples: 64 },
    probe: { texts: 128, ages: [0, 2], epochs: 2 },
    retention: { texts: 8, chunks: 6 },
    architecture: { grid: { slots: [2, 4], chunks: [8], length: 24 }, steps: 20 },
    leakSteps: 60,
  },
  quick: {
    retrieval: {
      chunks: MIXED,
      steps: 1000,
      testChunks: [2, 4, 8, 16, 32],
      samples: 256,
      placement: 'firstChunk',
    },
    chain: { chunks: [2, 3, 4], steps: 600, testChunks: [1, 2, 3, 4, 5], samples: 256 },
    needle: { chunks: [4, 5, 6], steps: 600, testChunks: [4, 6, 8, 16], samples: 256 },
    memory: { chunks: 6, samples: 256 },
    probe: { texts: 512, ages: [0, 1, 2, 4, 8], epochs: 10 },
    retention: { texts: 16, chunks: 24 },
    architecture: { grid: { slots: [1, 4, 16], chunks: [8, 16], length: 48 }, steps: 300 },
    leakSteps: 600,
  },
  full: {
    retrieval: {
      chunks: MIXED,
      steps: 3000,
      testChunks: [2, 4, 8, 16, 32, 64, 128, 256],
      samples: 1024,
      placement: 'firstChunk',
    },
    chain: { chunks: [2, 3, 4, 5, 6], steps: 6000, testChunks: [1, 2, 3, 4, 5, 6, 8, 10], samples: 1024 },
    needle: { chunks: [4, 5, 6, 8], steps: 4000, testChunks: [4, 6, 8, 16, 32, 64], samples: 1024 },
    memory: { chunks: 6, samples: 1024 },
    probe: { texts: 2048, ages: [0, 1, 2, 4, 8, 16], epochs: 10 },
    retention: { texts: 32, chunks: 64 },
    architecture: { grid: { slots: [4, 16, 32, 64], chunks: [8, 16, 32], length: 96 }, steps: 1500 },
    leakSteps: 600,
  },
};
