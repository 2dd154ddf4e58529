import { useRef, useState } from 'preact/hooks';

export interface Work {
  readonly isBusy: boolean;
  /** Why the last attempt failed, in a sentence. */
  readonly problem: string;
  /** Does something unless something is being done; what it throws is shown. */
  start(action: (signal: AbortSignal) => Promise<void>): void;
  stop(): void;
}

/** Something that runs for a while, one at a time. */
export function useWork(): Work {
  const [isBusy, setBusy] = useState(false);
  const [problem, setProblem] = useState('');
  const controller = useRef<AbortController | undefined>(undefined);
  const start: Work['start'] = (action) => {
    if (controller.current) return;
    const stop = new AbortController();
    controller.current = stop;
    setBusy(true);
    setProblem('');
    action(stop.signal)
      .catch((error: unknown) => setProblem(error instanceof Error ? error.message : String(error)))
      .finally(() => {
        controller.current = undefined;
        setBusy(false);
      });
  };
  return { isBusy, problem, start, stop: () => controller.current?.abort() };
}
