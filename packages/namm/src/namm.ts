import {
  createEngine,
  type Engine,
  formatShape,
  InputError,
  type NDArray,
  Rng,
} from '@palimpsest/tensor-core';
import { type NAMMConfig, type NAMMOptions, resolveNAMMConfig } from './config.js';
import type { FeatureStatistics } from './features/statistics.js';
import { type KeyValue, LayerUpdates, type UpdateResult } from './layer-updates.js';
import { scheduleOf } from './managed/schedule.js';
import { OpenNAMM } from './open-namm/open-namm.js';
import type { OpenNAMMConfig } from './open-namm/scoring.js';
import { nammPolicy } from './policy/namm-policy.js';
import type { CachePolicy } from './policy/policy.js';
import { type RetentionSummary, summarise } from './retention-summary.js';
import { parameterCount } from './scorer/layout.js';
import { type SeedCache, SeedSequence } from './seed-sequence.js';

/** What a policy is made of beside its options. */
export interface NAMMResources {
  /**
   * Flat parameters in the layout of `parameterisation`, one vector per text where they differ, or normal ones of a deviation.
   * Default: zeros, which keep every token.
   */
  readonly parameters?:
    | Float32Array
    | readonly Float32Array[]
    | { readonly deviation: number; readonly seed: number };
  /** Frozen statistics of the features, one pair for all layers or one per layer. Default: features stay as they are. */
  readonly statistics?: FeatureStatistics | readonly FeatureStatistics[];
  /** Weights under the names of the seed's program, for the mode 'parityOpenNamm'. Default: fresh ones. */
  readonly weights?: Readonly<Record<string, NDArray>>;
  /** Where it computes. Default: the first engine that can be loaded, made at the first call. */
  readonly engine?: Engine;
}

/** A policy as both published programs call it. */
export interface NAMM {
  /** Every option decided; in the mode 'parityOpenNamm' those of the seed. */
  readonly config: NAMMConfig | OpenNAMMConfig;
  /** Number of parameters of one scorer. */
  readonly parameterCount: number;
  /** The rule itself, for whoever manages a cache by it. */
  readonly policy: CachePolicy;
  /**
   * An update of one layer.
   * @param kv `[batch, heads, tokens, headWidth]`
   * @param attention rows of all pieces since the last update, `[batch, query heads, queries, tokens]`; pieces that were computed
   *   when the cache was shorter have fewer tokens
   * @param positions int32 `[batch, heads, tokens]`: original positions, -1 for none
   */
  update(
    layer: number,
    kv: KeyValue,
    attention: NDArray | readonly NDArray[],
    positions: NDArray,
  ): Promise<UpdateResult>;
  /**
   * The seed's form, for one head: each call brings rows of attention; when an interval is over, tokens leave.
   * @param kvCache rows of the last call's result, then new ones
   * @param attention `[batch, tokens, queries]`
   * @returns the cache and, when they were asked for and an update was due, scores `[batch, tokens]`
   */
  forward(
    kvCache: SeedCache,
    attention: NDArray,
    options?: { readonly returnScores?: boolean },
  ): Promise<readonly [SeedCache, NDArray | null]>;
  /** What an update would keep now. Changes nothing, and works at any time. */
  evaluateRetention(
    kvCache: SeedCache,
    attention: NDArray,
  ): Promise<RetentionSummary | Record<string, never>>;
  /** Forgets what is carried about all layers. */
  reset(): void;
  /** Gives back what is compiled, and the engine when it is its own. */
  dispose(): Promise<void>;
}

/**
 * Creates a policy.
 * @param config options, parameters and engine; it is never changed
 * @param overrides win over `config`
 * @throws InputError for options that are wrong or do not fit together.
 */
export function createNAMM(
  config: NAMMOptions & NAMMResources = {},
  overrides: NAMMOptions & NAMMResources = {},
): NAMM {
  const [options, resources] = apart(config);
  const [more, moreResources] = apart(overrides);
  const given = { ...resources, ...moreResources };
  if ({ ...options, ...more }.mode === 'parityOpenNamm') return new OpenNAMM({ ...options, ...more }, given);
  return new SpectralNAMM(resolveNAMMConfig(options, more), given);
}

function apart({
  parameters,
  statistics,
  weights,
  engine,
  ...options
}: NAMMOptions & NAMMResources): [NAMMOptions, NAMMResources] {
  return [
    options,
    {
      ...(parameters && { parameters }),
      ...(statistics && { statistics }),
      ...(weights && { weights }),
      ...(engine && { engine }),
    },
  ];
}

/** Flat vectors from what the user gave. @throws InputError for a wrong number of parameters. */
export function vectorsOf(config: NAMMConfig, given: NAMMResources['parameters']): readonly Float32Array[] {
  const size = parameterCount(config);
  if (given === undefined) return [new Float32Array(size)];
  if ('deviation' in given) {
    return [Float32Array.from(Rng.fromSeed(given.seed).normalArray([size], 0, given.deviation).data)];
  }
  const vectors = given instanceof Float32Array ? [given] : given;
  for (const vector of vectors) {
    if (config.paramSharing !== 'shared' || vector.length === size) continue;
    throw new InputError(`This policy has ${size} parameters, but ${vector.length} were given.`);
  }
  return vectors;
}

/** The policy of a configuration with parameters and statistics. */
export function policyOf(config: NAMMConfig, { parameters, statistics }: NAMMResources): CachePolicy {
  return nammPolicy(config, {
    vectors: vectorsOf(config, parameters),
    statistics: statistics && ('mean' in statistics ? [statistics] : statistics),
  });
}

class SpectralNAMM implements NAMM {
  readonly policy: CachePolicy;
  readonly parameterCount: number;
  readonly #given: NAMMResources;
  #engine: Promise<Engine> | undefined;
  #updates: LayerUpdates | undefined;
  #seed: SeedSequence | undefined;

  constructor(
    readonly config: NAMMConfig,
    given: NAMMResources,
  ) {
    this.#given = given;
    this.parameterCount = parameterCount(config);
    this.policy = policyOf(config, given);
  }

  async update(
    layer: number,
    kv: KeyValue,
    attention: NDArray | readonly NDArray[],
    positions: NDArray,
  ): Promise<UpdateResult> {
    if (kv.key.shape.length !== 4) {
      throw new InputError(
        `Keys have the shape [batch, heads, tokens, headWidth], but ${formatShape(kv.key.shape)} was given.`,
      );
    }
    const updates = await this.#updatesFor(kv.key.shape[1]!);
    for (const piece of 'shape' in attention ? [attention] : attention) {
      const [, , queries, tokens] = piece.shape as [number, number, number, number];
      // The cache holds the queries' own tokens alone: a new sequence.
      if (tokens === queries) updates.setState(layer, undefined);
      await updates.observe(layer, piece);
    }
    return updates.update(layer, kv, positions);
  }

  async forward(
    kvCache: SeedCache,
    attention: NDArray,
    { returnScores = false }: { readonly returnScores?: boolean } = {},
  ): Promise<readonly [SeedCache, NDArray | null]> {
    this.#seed ??= new SeedSequence(scheduleOf(this.config), await this.#updatesFor(1));
    const { cache, scores } = await this.#seed.forward(kvCache, attention);
    return [cache, returnScores ? (scores ?? null) : null];
  }

  async evaluateRetention(kvCache: SeedCache, attention: NDArray): Promise<RetentionSummary> {
    this.#seed ??= new SeedSequence(scheduleOf(this.config), await this.#updatesFor(1));
    const { scores, kept } = await this.#seed.evaluate(kvCache, attention);
    return summarise(scores, kept);
  }

  reset(): void {
    this.#updates?.reset();
    this.#seed = undefined;
  }

  async dispose(): Promise<void> {
    await this.#updates?.dispose();
    if (!this.#given.engine) await (await this.#engine)?.dispose();
    this.#engine = undefined;
    this.#updates = undefined;
  }

  async #updatesFor(heads: number): Promise<LayerUpdates> {
    this.#engine ??= this.#given.engine ? Promise.resolve(this.#given.engine) : createEngine();
    const engine = await this.#engine;
    if (this.#updates && this.#updates.heads !== heads) {
      throw new InputError(
        `This policy manages layers of ${this.#updates.heads} key/value heads, but one of ${heads} was given; make another for it.`,
      );
    }
    this.#updates ??= new LayerUpdates(engine, this.policy, heads);
    return this.#updates;
  }
}
