import { type AnySequenceModel, type Batch, type BatchSource, type JsonObject, train } from '@palimpsest/lm';
import { type Engine, full, Rng, type RngState } from '@palimpsest/tensor-core';

/** Symbols that the second token can be; a model that sees the first token only cannot do better than ln 8 nats. */
export const LEAK_SYMBOLS = 8;
const FIRST = LEAK_SYMBOLS;
export const LEAK_VOCABULARY = LEAK_SYMBOLS + 1;

/**
 * The toy that shows a leak of the future (rsm.md, D1): a constant token, then one random symbol of 8 to the
 * end of the chunk. All tokens are learned; nothing foretells the first symbol. The symbol is repeated because the published
 * wiring did not find the leak of one that stands in a single place within 800 steps.
 */
export class LeakToy implements BatchSource {
  readonly carriesState = false;
  readonly hasIgnoredTargets = false;
  #rng: Rng;

  constructor(
    readonly batch: number,
    readonly time: number,
    seed: number,
  ) {
    this.#rng = Rng.fromSeed(seed);
  }

  next(): Batch {
    const { batch, time } = this;
    const inputs = full([batch, time], FIRST, 'int32');
    const targets = full([batch, time], FIRST, 'int32');
    for (let row = 0; row < batch; row++) {
      const symbol = this.#rng.int(LEAK_SYMBOLS);
      inputs.data.fill(symbol, row * time + 1, (row + 1) * time);
      targets.data.fill(symbol, row * time, (row + 1) * time);
    }
    return { inputs, targets, resets: full([batch], 1, 'int32') };
  }

  cursor(): JsonObject {
    return { kind: 'leak-toy', rng: [...this.#rng.state()] };
  }

  seek(cursor: JsonObject): void {
    this.#rng = Rng.fromState(cursor.rng as RngState);
  }
}

/** Trains a model on the toy with AdamW at 3e-3 and gives its parameters on the host. */
export async function trainOnLeakToy(
  engine: Engine,
  model: AnySequenceModel,
  options: { readonly time: number; readonly steps: number; readonly batch?: number; readonly seed?: number },
): Promise<unknown> {
  const { time, steps, batch = 32, seed = 0 } = options;
  const source = new LeakToy(batch, time, seed + 1);
  const settings = {
    steps,
    seed,
    learningRate: 3e-3,
    schedule: 'constant' as const,
    weightDecay: 0.01,
    telemetry: false,
  };
  let params: unknown;
  for await (const event of train({ engine, model, source, settings })) {
    if (event.type === 'end') ({ params } = event);
  }
  return params;
}
