import { formatShape, InputError, type NDArray, ndarray } from '@palimpsest/tensor-core';
import type { KeyValue, LayerUpdates, UpdateResult } from './layer-updates.js';
import { nextUpdate, type Schedule } from './managed/schedule.js';

/** Keys and values in the seed's shape, `[batch, tokens, width]`. */
export interface SeedCache {
  readonly key: NDArray;
  readonly value: NDArray;
  /** 0/1 `[batch, tokens]`: which rows are tokens; others fill up shorter texts. */
  readonly valid?: NDArray;
}

/** What the calls of one text have in common. */
interface Progress {
  /** int32 `[batch, 1, tokens]` of the rows that the last call returned, -1 for none. */
  readonly positions: NDArray;
  /** Position of the next token of each text. */
  readonly next: readonly number[];
  /** Queries since the beginning. */
  readonly step: number;
  /** Queries at the next update. */
  readonly due: number;
}

/** One layer's cache in the seed's shapes: one head, attention by token and query. */
export class SeedSequence {
  #progress: Progress | undefined;

  constructor(
    private readonly schedule: Schedule,
    private readonly updates: LayerUpdates,
  ) {}

  /** Takes in a call; an update runs when one has fallen due, at most once. */
  async forward(cache: SeedCache, attention: NDArray): Promise<{ cache: SeedCache; scores?: NDArray }> {
    const before = this.#continued(cache);
    const now = progressOf(cache, attention, before);
    await this.updates.observe(0, byQuery(attention));
    const due = before?.due ?? nextUpdate(this.schedule, 0, 0);
    if (now.step < due) {
      this.#progress = { ...now, due };
      return { cache: { ...cache, valid: validityOf(now.positions) } };
    }
    const result = await this.updates.update(0, byHead(cache), now.positions);
    const next = nextUpdate(this.schedule, now.step, Math.max(...result.lengths.data));
    this.#progress = { ...now, positions: result.positions, due: next };
    return { cache: seedCache(result), scores: withoutHead(result.scores) };
  }

  /** What an update would do with this call's rows. Nothing is changed. */
  async evaluate(
    cache: SeedCache,
    attention: NDArray,
  ): Promise<{ readonly scores: Float64Array; readonly kept: number }> {
    const held = this.updates.state(0);
    try {
      const { positions } = progressOf(cache, attention, this.#continued(cache, false));
      await this.updates.observe(0, byQuery(attention));
      const { scores, lengths } = await this.updates.update(0, byHead(cache), positions);
      const ofTokens = Float64Array.from(scores.data).filter((_, index) => positions.data[index]! >= 0);
      return { scores: ofTokens, kept: lengths.data.reduce((sum, length) => sum + length, 0) };
    } finally {
      this.updates.setState(0, held);
    }
  }

  /** The text so far, unless the cache has fewer rows than were returned, which begins another. */
  #continued({ key }: SeedCache, forgets = true): Progress | undefined {
    const known = this.#progress;
    const continues =
      known && key.shape[1]! >= known.positions.shape[2]! && key.shape[0] === known.next.length;
    if (continues) return known;
    if (forgets) this.#progress = undefined;
    this.updates.setState(0, undefined);
    return undefined;
  }
}

function progressOf(
  cache: SeedCache,
  attention: NDArray,
  before: Progress | undefined,
): Omit<Progress, 'due'> {
  const [batch, tokens] = cache.key.shape as [number, number];
  const [rows, columns, queries] = attention.shape as [number, number, number];
  if (attention.shape.length !== 3 || rows !== batch || columns !== tokens) {
    throw new InputError(
      `Attention has the shape [batch, tokens, queries] of a cache ${formatShape(cache.key.shape)}, but ${formatShape(attention.shape)} was given.`,
    );
  }
  const known = before?.positions.shape[2] ?? 0;
  const next = before?.next ?? new Array<number>(batch).fill(0);
  const positions = Int32Array.from({ length: batch * tokens }, (_, index) => {
    const [row, token] = [Math.floor(index / tokens), index % tokens];
    return token < known ? before!.positions.data[row * known + token]! : next[row]! + token - known;
  });
  return {
    positions: ndarray(positions, [batch, 1, tokens], 'int32'),
    next: next.map((position) => position + tokens - known),
    step: (before?.step ?? 0) + queries,
  };
}

/** `[batch, tokens, queries]` as `[batch, 1, queries, tokens]`. */
function byQuery({ data, shape }: NDArray): NDArray {
  const [batch, tokens, queries] = shape as [number, number, number];
  const values = new Float32Array(data.length);
  for (let row = 0; row < batch; row++) {
    for (let token = 0; token < tokens; token++) {
      for (let query = 0; query < queries; query++) {
        values[(row * queries + query) * tokens + token] = data[(row * tokens + token) * queries + query]!;
      }
    }
  }
  return ndarray(values, [batch, 1, queries, tokens]);
}

function byHead({ key, value }: SeedCache): KeyValue {
  const raised = (x: NDArray): NDArray => ({ ...x, shape: [x.shape[0]!, 1, x.shape[1]!, x.shape[2]!] });
  return { key: raised(key), value: raised(value) };
}

const withoutHead = <A extends NDArray>(x: A): A => ({ ...x, shape: [x.shape[0]!, ...x.shape.slice(2)] });

const validityOf = (positions: NDArray): NDArray =>
  ndarray(
    Uint8Array.from(positions.data, (position) => Number(position >= 0)),
    [positions.shape[0]!, positions.shape[2]!],
    'bool',
  );

const seedCache = ({ kv, positions }: UpdateResult): SeedCache => ({
  key: withoutHead(kv.key),
  value: withoutHead(kv.value),
  valid: validityOf(positions),
});
