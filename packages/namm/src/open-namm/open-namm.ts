import {
  type Compiled,
  createEngine,
  type Engine,
  formatShape,
  InputError,
  type NDArray,
  ndarray,
  Rng,
  sizeOf,
  takeToHost,
  type tf,
} from '@palimpsest/tensor-core';
import { z } from 'zod';
import type { NAMMOptions } from '../config.js';
import { gatherRows } from '../eviction/gather.js';
import type { UpdateResult } from '../layer-updates.js';
import type { NAMM, NAMMResources } from '../namm.js';
import type { CachePolicy } from '../policy/policy.js';
import { type RetentionSummary, summarise } from '../retention-summary.js';
import type { SeedCache } from '../seed-sequence.js';
import {
  binsOf,
  framesOf,
  type OpenNAMMConfig,
  type OpenNAMMScores,
  type OpenNAMMWeights,
  openNAMMScores,
} from './scoring.js';

const schema = z.strictObject({
  mode: z.literal('parityOpenNamm'),
  updateInterval: z.int().min(1).default(512),
  strideSize: z.int().min(1).default(32),
  windowSize: z.int().min(2).multipleOf(2).default(128),
  nHead: z.int().min(1).default(4),
  dModel: z.int().min(1).default(256),
  gamma: z.number().gt(0).lt(1).default(0.95),
  dropout: z.number().min(0).lt(1).default(0.1),
});

/** Positions that the seed's scorer knows. */
const POSITIONS = 1024;

/** What one update of the seed computes, on the host. */
export interface OpenNAMMUpdate {
  readonly magnitude: NDArray;
  readonly features: NDArray;
  readonly reduced: NDArray;
  readonly scores: NDArray;
}

/** The seed's policy as published, evaluated: dropout is off. */
export class OpenNAMM implements NAMM {
  readonly config: OpenNAMMConfig;
  readonly #given: NAMMResources;
  #weights: OpenNAMMWeights<NDArray> | undefined;
  #engine: Promise<Engine> | undefined;
  #compiled: Compiled<[OpenNAMMWeights, tf.Tensor, tf.Tensor?], OpenNAMMScores> | undefined;
  #past: NDArray | undefined;
  #step = 0;

  constructor(options: NAMMOptions, given: NAMMResources) {
    const parsed = schema.safeParse(options);
    if (!parsed.success) {
      const issue = parsed.error.issues[0]!;
      throw new InputError(
        `The mode 'parityOpenNamm' takes ${Object.keys(schema.shape).join(', ')}; ${issue.path.join('.') || 'an option'} is wrong: ${issue.message}.`,
      );
    }
    const { dModel, nHead } = parsed.data;
    if (dModel % nHead !== 0) {
      throw new InputError(`dModel is a multiple of nHead, but ${dModel} is none of ${nHead}.`);
    }
    this.config = parsed.data;
    this.#given = given;
    this.#weights = given.weights;
  }

  get parameterCount(): number {
    return Object.values(this.#weights ?? {}).reduce((sum, { shape }) => sum + sizeOf(shape), 0);
  }

  get policy(): CachePolicy {
    throw new InputError(
      "The seed's policy manages no transformer's cache; use the mode 'improved' or 'parityOfficial'.",
    );
  }

  update(): Promise<UpdateResult> {
    throw new InputError(
      "The seed has no update by layers; use the mode 'improved' or 'parityOfficial', or call forward.",
    );
  }

  async forward(
    kvCache: SeedCache,
    attention: NDArray,
    { returnScores = false }: { readonly returnScores?: boolean } = {},
  ): Promise<readonly [SeedCache, NDArray | null]> {
    this.#step += 1;
    if (this.#step % this.config.updateInterval !== 0) return [kvCache, null];
    const { scores } = await this.compute(attention);
    return [keepPositive(kvCache, scores), returnScores ? scores : null];
  }

  /** Runs `forward`, and hence advances the counter and the past, as published. */
  async evaluateRetention(
    kvCache: SeedCache,
    attention: NDArray,
  ): Promise<RetentionSummary | Record<string, never>> {
    const [, scores] = await this.forward(kvCache, attention, { returnScores: true });
    if (!scores) return {};
    return summarise(scores.data, scores.data.filter((score) => score > 0).length);
  }

  /** The arithmetic of one update, whose result becomes the past of the next. */
  async compute(attention: NDArray): Promise<OpenNAMMUpdate> {
    this.#check(attention);
    const { config } = this;
    this.#engine ??= this.#given.engine ? Promise.resolve(this.#given.engine) : createEngine();
    const engine = await this.#engine;
    this.#weights ??= freshWeights(config, attention.shape[2]!);
    this.#compiled ??= engine.compile(
      (weights: OpenNAMMWeights, rows: tf.Tensor, past?: tf.Tensor) =>
        openNAMMScores(config, weights, rows, past),
      { name: 'openNAMM' },
    );
    const result = this.#past
      ? await this.#compiled(this.#weights, attention, this.#past)
      : await this.#compiled(this.#weights, attention);
    const host = await takeToHost(result);
    this.#past = host.reduced;
    return host;
  }

  reset(): void {
    this.#past = undefined;
    this.#step = 0;
  }

  async dispose(): Promise<void> {
    await this.#compiled?.dispose();
    if (!this.#given.engine) await (await this.#engine)?.dispose();
    this.#engine = undefined;
    this.#compiled = undefined;
  }

  #check({ shape }: NDArray): void {
    const { windowSize } = this.config;
    const [, tokens = 0, queries = 0] = shape;
    if (shape.length !== 3) {
      throw new InputError(
        `Attention has the shape [batch, tokens, queries], but ${formatShape(shape)} was given.`,
      );
    }
    const positions = this.#weights?.['bam.pos_embedding']?.shape[1] ?? POSITIONS;
    if (tokens > positions) {
      throw new InputError(
        `The published scorer has ${positions} positions, but the cache has ${tokens} tokens; the mode 'improved' has no such limit.`,
      );
    }
    if (queries <= windowSize / 2) {
      throw new InputError(
        `The published transform reflects half a window, ${windowSize / 2} samples, which needs more queries than the ${queries} given; the mode 'improved' does not.`,
      );
    }
    const width = this.#weights?.['feature_proj.weight']?.shape[1];
    const needed = binsOf(this.config) * framesOf(this.config, queries);
    if (width !== undefined && width !== needed) {
      throw new InputError(
        `The published projection was made for ${width} numbers per token, but ${queries} queries give ${needed}; the mode 'improved' takes any number of queries.`,
      );
    }
  }
}

/** Fresh weights for a number of queries, normal at the scale of their inputs. */
function freshWeights(config: OpenNAMMConfig, queries: number): OpenNAMMWeights<NDArray> {
  const rng = Rng.fromSeed(0);
  const { dModel } = config;
  const inputs = binsOf(config) * framesOf(config, queries);
  const weight = (out: number, into: number) => rng.normalArray([out, into], 0, 1 / Math.sqrt(into));
  const bias = (size: number) => ndarray(new Float32Array(size), [size]);
  return {
    'bam.pos_embedding': rng.normalArray([1, POSITIONS, dModel]),
    'bam.self_attention.in_proj_weight': weight(3 * dModel, dModel),
    'bam.self_attention.in_proj_bias': bias(3 * dModel),
    'bam.self_attention.out_proj.weight': weight(dModel, dModel),
    'bam.self_attention.out_proj.bias': bias(dModel),
    'bam.score_proj.weight': weight(1, dModel),
    'bam.score_proj.bias': bias(1),
    'feature_proj.weight': weight(dModel, inputs),
    'feature_proj.bias': bias(dModel),
  };
}

/** Rows with a positive score, in order, filled up with zeros behind to the longest text. */
function keepPositive(cache: SeedCache, scores: NDArray): SeedCache {
  const [batch, tokens] = scores.shape as [number, number];
  const kept = Array.from({ length: batch }, (_, row) =>
    Array.from({ length: tokens }, (_unused, token) => token).filter(
      (token) => scores.data[row * tokens + token]! > 0,
    ),
  );
  const most = Math.max(...kept.map(({ length }) => length));
  const indices = new Int32Array(batch * most).fill(-1);
  for (const [row, list] of kept.entries()) indices.set(list, row * most);
  const chosen = ndarray(indices, [batch, 1, most], 'int32');
  const gathered = (x: NDArray): NDArray => {
    const [rows, count, width] = x.shape as [number, number, number];
    return { ...gatherRows({ ...x, shape: [rows, 1, count, width] }, chosen), shape: [rows, most, width] };
  };
  return { key: gathered(cache.key), value: gathered(cache.value) };
}
