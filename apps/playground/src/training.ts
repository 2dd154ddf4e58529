import { useState } from 'preact/hooks';
import { WINDOW } from './choices.js';
import type { Laboratory } from './engine/client.js';
import type { OpenedModel, TrainRequest } from './engine/protocol.js';

export interface Point {
  readonly x: number;
  readonly y: number;
}

/** What is known of a training while it runs. */
export interface Progress {
  readonly losses: readonly Point[];
  readonly memory: readonly Point[];
  readonly sample: string;
  readonly step: number;
  readonly parameters: number;
  readonly memoryBytes: number;
  readonly readers: number;
  /** Characters that every reader has read. */
  readonly tokens: number;
}

const nothing: Progress = {
  ...{ losses: [], memory: [], sample: '', step: 0, parameters: 0, memoryBytes: 0 },
  ...{ readers: 0, tokens: 0 },
};

/** A training that a worker does. */
export function useTraining(laboratory: Laboratory) {
  const [progress, setProgress] = useState(nothing);
  const run = (request: TrainRequest, signal: AbortSignal): Promise<OpenedModel> => {
    setProgress(nothing);
    return laboratory.call(
      'train',
      request,
      (news) =>
        setProgress((before) => {
          if (news.type === 'start')
            return {
              ...before,
              parameters: news.parameters,
              memoryBytes: news.memoryBytes,
              readers: news.readers,
            };
          if (news.type === 'sample') return { ...before, sample: news.text };
          if (news.type === 'end') return { ...before, step: news.step };
          const { step, loss } = news;
          const tokens = step * WINDOW;
          return {
            ...before,
            ...{ step, tokens },
            losses: [...before.losses, { x: step, y: loss }],
            memory: [...before.memory, { x: tokens, y: before.memoryBytes }],
          };
        }),
      signal,
    );
  };
  return { progress, run };
}
