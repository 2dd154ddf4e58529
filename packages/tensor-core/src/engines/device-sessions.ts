import type { OnnxRuntime, OnnxTensor } from './onnx-runtime.js';

let last: Promise<unknown> = Promise.resolve();

/** Runs actions one after the other, in the order in which they were asked for, whether those before failed or not. */
function inTurn<T>(action: () => Promise<T>): Promise<T> {
  const turn = last.then(action, action);
  last = turn.catch(() => undefined);
  return turn;
}

/** A session that is released when nobody runs it any more and none of its results are left. */
class Lease {
  #results = 0;
  #isOver = false;

  constructor(private readonly release: () => Promise<void>) {}

  take(): void {
    this.#results += 1;
  }

  async give(): Promise<void> {
    this.#results -= 1;
    if (this.#isOver && this.#results === 0) await this.release();
  }

  async end(): Promise<void> {
    this.#isOver = true;
    if (this.#results === 0) await inTurn(this.release);
  }
}

/**
 * Sessions whose results stay on the device. The runtime is suspended while it waits for the device and may not be entered
 * before it goes on, so that everything has its turn; and it frees a result through the session that made it.
 */
export function deviceSessions(
  open: OnnxRuntime['createSession'],
): Pick<OnnxRuntime, 'createSession' | 'dispose'> {
  const leases = new WeakMap<OnnxTensor, Lease>();
  return {
    async createSession(model, choices) {
      const session = await inTurn(() => open(model, choices));
      const lease = new Lease(() => session.release());
      return {
        run: (feeds, fetches) =>
          inTurn(async () => {
            const results = await session.run(feeds, fetches);
            for (const tensor of Object.values(results)) {
              if (tensor.location === 'cpu') continue;
              lease.take();
              leases.set(tensor, lease);
            }
            return results;
          }),
        release: () => lease.end(),
      };
    },
    dispose(tensor) {
      void inTurn(async () => {
        tensor.dispose();
        await leases.get(tensor)?.give();
      });
    },
  };
}
