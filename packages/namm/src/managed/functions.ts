import {
  gatherEntries,
  layerFrequencies,
  type Transformer,
  type TransformerParameters,
  withoutRoom,
  withRoom,
} from '@palimpsest/backbone';
import { tf } from '@palimpsest/tensor-core';
import { gatherTokens, groupMean, padTokens } from '../features/attention-rows.js';
import type { CachePolicy, PolicyState } from '../policy/policy.js';
import { evictableLayer, type ManagedLayer, type ManagedState } from './state.js';

/** Attention of a token that waits to be taken in: all managed layers side by side, since every array of a call costs time. */
export type Waiting<T = tf.Tensor> = {
  /** `[batch, heads, 1 or more tokens, slots of all layers]` */
  readonly rows?: T;
  /** `[batch, query heads, 1 or more tokens, layers · headWidth]` */
  readonly queries?: T;
};

export interface ReadResult {
  /** `[batch, vocabSize]` after the last token, or `[batch, time, vocabSize]`. */
  readonly logits: tf.Tensor;
  readonly state: ManagedState;
}

export interface StepResult extends ReadResult {
  readonly waiting: Waiting;
}

/** Tensors that a policy's `score` reads, for every layer. */
export type LayerParameters<T = tf.Tensor> = readonly { readonly [name: string]: T }[];

/**
 * What a managed transformer does to its memory, as pure functions of tensors: each becomes one graph per combination of
 * extents.
 */
export class ManagedFunctions {
  readonly #heads: number;
  readonly #managed: readonly number[];
  /** Rotary frequencies of every layer that turns. */
  readonly #rotary: readonly (Float32Array | undefined)[];

  /** @param model of evictable layers */
  constructor(
    private readonly model: Transformer,
    private readonly policy: CachePolicy,
  ) {
    const { keyValueHeads, layers } = model.options;
    this.#heads = keyValueHeads;
    this.#managed = Array.from({ length: layers }, (_, layer) => layer).filter((layer) =>
      this.manages(layer),
    );
    this.#rotary = Array.from({ length: layers }, (_, layer) => {
      const frequencies = layerFrequencies(model.options, layer);
      return frequencies && Float32Array.from(frequencies);
    });
  }

  /** Layers that the policy looks after. */
  get managed(): readonly number[] {
    return this.#managed;
  }

  /** Whether the policy looks after a layer. */
  manages(layer: number): boolean {
    const { retention, manages } = this.policy;
    return retention.kind !== 'everything' && (manages?.(layer) ?? true);
  }

  /**
   * Reads any number of tokens; the arrays of the cache grow by them.
   * @param tokens int32 `[batch, time]`
   * @param before nothing at the beginning of the texts
   * @param mask 0/1 `[batch, time]`: what stands before the beginning of a shorter text is 0
   * @param all logits of every token, or of the last
   */
  read(
    params: TransformerParameters,
    tokens: tf.Tensor,
    before: ManagedState | undefined,
    mask: tf.Tensor | undefined,
    all: boolean,
  ): ReadResult {
    const [batch, time] = tokens.shape as [number, number];
    const { needs, observe } = this.policy;
    const state = before
      ? { position: before.position, layers: before.layers.map(evictableLayer) }
      : this.model.initState(params, batch);
    const counted = mask && tf.cumsum(tf.cast(mask, 'float32'), 1);
    const start = before?.position ?? tf.zeros([batch], 'int32');
    const positions = counted && countedPositions(start, counted);
    const observed = needs.rows === 'all' ? time : Math.min(needs.rows, time);
    const result = this.model.run(params, { tokens, ...(mask && positions && { mask, positions }) }, state, {
      logits: all ? 'all' : 'last',
      placement: 'extend',
      ...(observe && { observedQueries: observed, queries: needs.queries }),
    });
    const queryPositions = positions
      ? tf.where(tf.cast(mask!, 'bool'), positions, tf.fill([batch, time], -1, 'int32'))
      : consecutive(start, time);
    const layers = result.state.layers.map((cache, layer): ManagedLayer => {
      const own = { keys: cache.keys, values: cache.values, positions: cache.positions! };
      if (!observe || !this.manages(layer)) return own;
      const attention = result.attention?.[layer];
      const rows = attention && masked(groupMean(attention, this.#heads), mask);
      const queries = result.queries?.[layer];
      const policy = observe(before?.layers[layer]?.policy, {
        ...{ layer, queryPositions, tokens: own.positions.shape[2]! },
        ...(rows && { rows }),
        ...(queries && { queries }),
      });
      return { ...own, policy };
    });
    const seen = tf.add(before?.seen ?? tf.zeros([batch], 'int32'), tf.scalar(time, 'int32'));
    const position = counted ? tf.add(start, tf.cast(lastColumn(counted), 'int32')) : result.state.position;
    const logits = all ? result.logits! : tf.reshape(result.logits!, [batch, this.model.vocabSize]);
    return { logits, state: { position, seen, layers } };
  }

  /**
   * Reads one token of every text into the slot behind its newest entry. What the policy carries stays as it is; the attention
   * that was paid is handed on.
   * @param token int32 `[batch]`
   */
  step(params: TransformerParameters, token: tf.Tensor, before: ManagedState): StepResult {
    const batch = token.shape[0]!;
    const { needs, observe } = this.policy;
    const state = { position: before.position, layers: before.layers.map(evictableLayer) };
    const result = this.model.run(params, { tokens: tf.reshape(token, [batch, 1]) }, state, {
      placement: 'behind',
      ...(observe && { observedQueries: needs.rows === 0 ? 0 : 1, queries: needs.queries }),
    });
    const layers = observe ? this.#managed : [];
    const rows = layers.flatMap((layer) => {
      const attention = result.attention?.[layer];
      return attention ? [groupMean(attention, this.#heads)] : [];
    });
    const queries = layers.flatMap((layer) => result.queries?.[layer] ?? []);
    const waiting = {
      ...(rows.length > 0 && { rows: sideBySide(rows) }),
      ...(queries.length > 0 && { queries: sideBySide(queries) }),
    };
    return {
      logits: tf.reshape(result.logits!, [batch, this.model.vocabSize]),
      waiting,
      state: {
        position: result.state.position,
        seen: tf.add(before.seen, tf.scalar(1, 'int32')),
        layers: result.state.layers.map(({ keys, values, positions }) => ({
          keys,
          values,
          positions: positions!,
        })),
      },
    };
  }

  /**
   * Takes in the attention of single tokens.
   * @param waiting oldest first, all of the same slots
   * @param position int32 `[batch]` of the next token
   * @param slots of every layer
   */
  absorb(
    carried: readonly (PolicyState | undefined)[],
    waiting: readonly Waiting[],
    position: tf.Tensor,
    slots: readonly number[],
  ): readonly (PolicyState | undefined)[] {
    const observe = this.policy.observe!;
    const managed = this.#managed;
    const count = waiting.reduce((sum, { rows, queries }) => sum + ((rows ?? queries)?.shape[2] ?? 1), 0);
    const start = tf.sub(position, tf.scalar(count, 'int32'));
    const queryPositions = consecutive(start, count);
    const together = (name: keyof Waiting, widths: readonly number[]) => {
      const tokens = waiting.flatMap((token) => token[name] ?? []);
      return tokens.length > 0 ? tf.split(tf.concat(tokens, 2), [...widths], 3) : undefined;
    };
    const rows = together(
      'rows',
      managed.map((layer) => slots[layer]!),
    );
    const queries = together(
      'queries',
      managed.map(() => this.model.options.headWidth),
    );
    return slots.map((tokens, layer) => {
      const place = managed.indexOf(layer);
      if (place < 0) return undefined;
      return observe(carried[layer], {
        ...{ layer, queryPositions, tokens },
        ...(rows && { rows: rows[place]! }),
        ...(queries && { queries: queries[place]! }),
      });
    });
  }

  /**
   * Scores of the managed layers at an update, and what the policy goes on with.
   * @param isPacked slots without a token stand before all others
   */
  score(
    state: ManagedState,
    parameters: LayerParameters,
    isPacked: boolean,
  ): { readonly scores: readonly tf.Tensor[]; readonly policies: readonly (PolicyState | undefined)[] } {
    const scored = state.layers.flatMap((own, layer) => {
      if (!this.manages(layer)) return [];
      const rotary = this.#rotary[layer];
      const view = {
        ...evictableLayer(own),
        ...{ layer, next: state.position, state: own.policy, parameters: parameters[layer] ?? {} },
        valid: tf.greaterEqual(own.positions, tf.scalar(0, 'int32')),
        isPacked,
        ...(rotary && { rotary }),
      };
      const scores = this.policy.score!(view);
      const policy = own.policy && (this.policy.afterUpdate?.(own.policy, scores, view) ?? own.policy);
      return [{ scores, policy }];
    });
    return { scores: scored.map(({ scores }) => scores), policies: scored.map(({ policy }) => policy) };
  }

  /**
   * Gathers what stays into arrays of its own size.
   * @param policies of the managed layers, as `score` gave them
   * @param slots int32 `[batch, heads, extent]` of the managed layers, -1 for a slot that stays empty
   */
  gather(
    state: ManagedState,
    policies: readonly (PolicyState | undefined)[],
    slots: readonly tf.Tensor[],
  ): ManagedState {
    let next = 0;
    const layers = state.layers.map((own, layer): ManagedLayer => {
      if (!this.manages(layer)) return own;
      const chosen = slots[next]!;
      const policy = policies[next];
      next += 1;
      const gathered = gatherEntries(evictableLayer(own), chosen);
      return { ...gathered, ...(policy && { policy: gatherPolicy(policy, chosen) }) };
    });
    return { ...state, layers };
  }

  /** Adds empty slots behind the others in every layer, or takes so many away there. */
  resize(state: ManagedState, more: number): ManagedState {
    const layers = state.layers.map((own): ManagedLayer => {
      const cache = more > 0 ? withRoom(evictableLayer(own), more) : withoutRoom(evictableLayer(own), -more);
      const tokens = cache.positions.shape[2]!;
      const { policy } = own;
      if (!policy) return cache;
      const fitted = Object.entries(policy.tokens).map(
        ([name, rows]) => [name, more > 0 ? padTokens(rows, tokens) : cutTokens(rows, tokens)] as const,
      );
      return { ...cache, policy: { ...policy, tokens: Object.fromEntries(fitted) } };
    });
    return { ...state, layers };
  }
}

/** The first so many columns of `[batch, heads, rows, tokens]`. */
function cutTokens(rows: tf.Tensor, tokens: number): tf.Tensor {
  const [batch, heads, count] = rows.shape as [number, number, number, number];
  return tf.slice(rows, [0, 0, 0, 0], [batch, heads, count, tokens]);
}

const sideBySide = (arrays: tf.Tensor[]): tf.Tensor =>
  arrays.length === 1 ? arrays[0]! : tf.concat(arrays, 3);

/** Positions of consecutive tokens, int32 `[batch, count]`. */
function consecutive(start: tf.Tensor, count: number): tf.Tensor {
  const steps = tf.reshape(tf.range(0, count, 1, 'int32'), [1, count]);
  return tf.add(tf.reshape(start, [start.shape[0]!, 1]), steps);
}

/** Positions that leave padding out. */
function countedPositions(start: tf.Tensor, counted: tf.Tensor): tf.Tensor {
  const before = tf.cast(tf.maximum(tf.sub(counted, 1), 0), 'int32');
  return tf.add(tf.reshape(start, [start.shape[0]!, 1]), before);
}

function lastColumn(x: tf.Tensor): tf.Tensor {
  const [batch, time] = x.shape as [number, number];
  return tf.reshape(tf.slice(x, [0, time - 1], [batch, 1]), [batch]);
}

/** Rows of queries that are padding are zero. */
function masked(rows: tf.Tensor, mask: tf.Tensor | undefined): tf.Tensor {
  if (!mask) return rows;
  const [batch, , queries] = rows.shape as [number, number, number, number];
  const time = mask.shape[1]!;
  const newest = tf.slice(mask, [0, time - queries], [batch, queries]);
  return tf.mul(rows, tf.reshape(tf.cast(newest, 'float32'), [batch, 1, queries, 1]));
}

/** What is carried about the chosen tokens; empty slots carry zeros. */
function gatherPolicy(policy: PolicyState, slots: tf.Tensor): PolicyState {
  const zero = tf.scalar(0, 'int32');
  const sources = tf.maximum(slots, zero);
  const taken = tf.expandDims(tf.cast(tf.greaterEqual(slots, zero), 'float32'), 2);
  const gathered = Object.entries(policy.tokens).map(
    ([name, rows]) => [name, tf.mul(gatherTokens(rows, sources), taken)] as const,
  );
  return { ...policy, tokens: Object.fromEntries(gathered) };
}
