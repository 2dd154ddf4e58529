import {
  type Compiled,
  type Engine,
  formatShape,
  InputError,
  type NDArray,
  ndarray,
  type ToHost,
  takeToHost,
  tf,
  treeMap,
} from '@palimpsest/tensor-core';
import { gatherColumns, gatherRows } from './eviction/gather.js';
import type { Selection } from './eviction/select.js';
import { groupMean } from './features/attention-rows.js';
import { withHeldRows } from './policy/held-rows.js';
import type { CachePolicy, CacheView, PolicyState } from './policy/policy.js';
import { retain } from './policy/retention.js';

/** Keys and values of one layer on the host, `[batch, heads, tokens, headWidth]` each. */
export interface KeyValue {
  readonly key: NDArray;
  readonly value: NDArray;
}

/** What an update leaves of a layer. */
export interface UpdateResult {
  readonly kv: KeyValue;
  /** int32 `[batch, heads, most]`: indices before the update, ascending and right-aligned, -1 for none. */
  readonly kept: NDArray<'int32'>;
  /** int32 `[batch, heads, most]`: original positions, -1 for none. */
  readonly positions: NDArray<'int32'>;
  /** float32 `[batch, heads, tokens]`, of the tokens before the update. */
  readonly scores: NDArray;
  /** int32 `[batch, heads]` */
  readonly lengths: NDArray<'int32'>;
  /** int32 `[batch, heads]`: how many tokens passed the threshold; the newest always counts. */
  readonly passing: NDArray<'int32'>;
}

type Parameters = { readonly [name: string]: tf.Tensor };
interface ScoreInput {
  readonly keys: tf.Tensor;
  readonly values: tf.Tensor;
  readonly positions: tf.Tensor;
  readonly next: tf.Tensor;
  readonly state: PolicyState;
  readonly parameters: Parameters;
}

/**
 * Applies a policy to the caches of layers that stand on the host, call by call, and holds what the policy carries about each
 * layer in between.
 */
export class LayerUpdates {
  readonly #policy: CachePolicy;
  readonly #states = new Map<number, PolicyState<NDArray>>();
  readonly #observe: Compiled<[{ attention: tf.Tensor; state?: PolicyState }], PolicyState>;
  readonly #score: Compiled<[ScoreInput], { scores: tf.Tensor; state: PolicyState }>;

  /** @param heads key/value heads of every layer */
  constructor(
    engine: Engine,
    given: CachePolicy,
    readonly heads: number,
  ) {
    const policy = withHeldRows(given);
    this.#policy = policy;
    this.#observe = engine.compile(
      ({ attention, state }: { attention: tf.Tensor; state?: PolicyState }) => {
        const [batch, , queries, tokens] = attention.shape as [number, number, number, number];
        const rows = groupMean(attention, heads);
        const queryPositions = tf.zeros([batch, queries], 'int32');
        return policy.observe!(state, { layer: 0, rows, queryPositions, tokens });
      },
      { name: 'observe' },
    );
    this.#score = engine.compile(
      (input: ScoreInput) => {
        const view: CacheView = {
          ...input,
          layer: 0,
          valid: tf.greaterEqual(input.positions, tf.scalar(0, 'int32')),
        };
        const scores = policy.score!(view);
        return { scores, state: policy.afterUpdate?.(input.state, scores, view) ?? input.state };
      },
      { name: 'score' },
    );
  }

  /** What is carried about a layer, `undefined` before its first update. */
  state(layer: number): PolicyState<NDArray> | undefined {
    return this.#states.get(layer);
  }

  /** Puts back what `state` gave, or forgets the layer. */
  setState(layer: number, state: PolicyState<NDArray> | undefined): void {
    if (state) this.#states.set(layer, state);
    else this.#states.delete(layer);
  }

  /** Forgets what is carried about all layers. */
  reset(): void {
    this.#states.clear();
  }

  /**
   * Takes in attention rows of a layer.
   * @param attention `[batch, query heads, queries, tokens]`
   */
  async observe(layer: number, attention: NDArray): Promise<void> {
    if (!this.#policy.observe) return;
    const state = this.#states.get(layer);
    const next = await this.#observe({ attention, ...(state && { state }) });
    this.#states.set(layer, await takeToHost(next));
  }

  /**
   * Scores the tokens of a layer, decides, and gathers what stays.
   * @param positions int32 `[batch, heads, tokens]`
   */
  async update(layer: number, kv: KeyValue, positions: NDArray): Promise<UpdateResult> {
    const state = this.#states.get(layer);
    if (!state && this.#policy.observe) {
      throw new InputError(`No attention of layer ${layer} has been seen; give its rows with the update.`);
    }
    const [batch, heads, tokens] = positions.shape as [number, number, number];
    if (formatShape(kv.key.shape.slice(0, 3)) !== formatShape(positions.shape)) {
      throw new InputError(
        `Keys ${formatShape(kv.key.shape)} and positions ${formatShape(positions.shape)} differ in batch, heads or tokens.`,
      );
    }
    const newest = Array.from({ length: batch }, (_, row) =>
      Math.max(...positions.data.subarray(row * heads * tokens, (row + 1) * heads * tokens)),
    );
    const input: ToHost<ScoreInput> = {
      ...{ keys: kv.key, values: kv.value, positions, state: state ?? { tokens: {} } },
      next: ndarray(
        newest.map((position) => position + 1),
        [batch],
        'int32',
      ),
      parameters: this.#policy.parameters?.({ layer, heads }) ?? {},
    };
    const scored = await takeToHost(await this.#score(input));
    const selection = this.#select(scored.scores, positions, newest);
    this.#states.set(layer, this.#gathered(scored.state, selection.kept));
    return {
      kv: { key: gatherRows(kv.key, selection.kept), value: gatherRows(kv.value, selection.kept) },
      kept: selection.kept,
      positions: gatherRows({ ...positions, dtype: 'int32' } as NDArray<'int32'>, selection.kept, -1),
      scores: scored.scores,
      lengths: selection.lengths,
      passing: selection.passing,
    };
  }

  /** Gives back what is compiled. */
  async dispose(): Promise<void> {
    await Promise.all([this.#observe.dispose(), this.#score.dispose()]);
  }

  #select(scores: NDArray, positions: NDArray, newest: readonly number[]): Selection {
    const { retention } = this.#policy;
    if (retention.kind === 'everything')
      throw new InputError('This policy forgets nothing; there is nothing to update.');
    const hasPadding = positions.data.some((position) => position < 0);
    const valid = {
      ...positions,
      data: Uint8Array.from(positions.data, (p) => Number(p >= 0)),
      dtype: 'bool',
    } as NDArray;
    const tokensSeen = newest.map((position) => position + 1);
    return retain(retention, { scores, tokensSeen, ...(hasPadding && { valid }) });
  }

  #gathered(state: PolicyState<NDArray>, kept: NDArray): PolicyState<NDArray> {
    return {
      ...state,
      tokens: treeMap<NDArray, NDArray>(state.tokens, (leaf) =>
        gatherColumns(leaf, kept),
      ) as PolicyState<NDArray>['tokens'],
    };
  }
}
