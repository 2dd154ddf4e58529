import { createTransformer, type TransformerOptions, type TransformerParameters } from '@palimpsest/backbone';
import { type Decoder, type SamplingOptions, Session } from '@palimpsest/lm';
import {
  createEngine,
  type Engine,
  InputError,
  type NDArray,
  Rng,
  runOnce,
  type tf,
} from '@palimpsest/tensor-core';
import { type NAMMConfig, type NAMMOptions, resolveNAMMConfig } from './config.js';
import { ManagedDecoder } from './managed/managed-decoder.js';
import { type ManagedReader, manageTransformer } from './managed/managed-transformer.js';
import { scheduleOf } from './managed/schedule.js';
import { type NAMMResources, policyOf } from './namm.js';
import {
  initSeedWeights,
  type SeedTransformerConfig,
  type SeedWeights,
  seedForward,
} from './open-namm/seed-transformer.js';
import { fullPolicy } from './policy/full.js';

/** Options of a transformer with a policy, under the seed's names and ours. */
export interface NAMMTransformerOptions extends NAMMResources {
  readonly vocabSize?: number;
  readonly maxSeqLength?: number;
  readonly dModel?: number;
  readonly nHeads?: number;
  readonly nLayers?: number;
  readonly dFf?: number;
  readonly dropout?: number;
  readonly activation?: 'gelu' | 'relu';
  /** Whether a policy manages the cache. Default true. */
  readonly useNamm?: boolean;
  readonly nammConfig?: NAMMOptions;
  /** Divides `nHeads`. Default: as many. */
  readonly nKvHeads?: number;
  /** Default 'rope'. */
  readonly positional?: 'rope' | 'learned';
  /** Default 'rms'. */
  readonly norm?: 'rms' | 'layer';
  /** Default: `activation` where it is given, else 'swiglu'. 'relu' is the seed's alone. */
  readonly ffn?: 'swiglu' | 'gelu' | 'relu';
  /** Stretching of the rotary frequencies. Default null. */
  readonly ropeScaling?: { readonly factor: number; readonly alpha: number } | null;
  readonly normEps?: number;
  readonly ropeTheta?: number;
  readonly tieEmbeddings?: boolean;
  /** Seed of fresh weights. Default 0. */
  readonly seed?: number;
  /** Weights on the host, in place of fresh ones. */
  readonly params?: TransformerParameters<NDArray>;
}

export interface WriteOptions extends SamplingOptions {
  /** Default 32. */
  readonly maxNewTokens?: number;
  /** Ids that end the text. */
  readonly endIds?: readonly number[];
  readonly seed?: number;
}

/** A transformer with a policy, as the seed calls it. */
export interface NAMMTransformer {
  /**
   * @param ids int32 `[batch, time]`
   * @param mask 0/1: `[batch, time]` with 0 for padding on the left; in the seed's parity `[time, time]`, in place of the causal one
   * @returns logits `[batch, time, vocabSize]`
   */
  forward(ids: NDArray, mask?: NDArray): Promise<NDArray>;
  /** Writes on from ids; the last one written is not read. */
  generate(prompt: ArrayLike<number>, options?: WriteOptions): Promise<Int32Array>;
  /** A text that is read and written token by token; it owns the cache. */
  newDecoder(): Promise<Decoder>;
  dispose(): Promise<void>;
}

/** Defaults of the seed. */
const SEED = {
  ...{ vocabSize: 50_257, maxSeqLength: 2048, dModel: 768, nHeads: 12, nLayers: 12, dFf: 3072 },
  ...{ dropout: 0.1, activation: 'gelu' as const },
};

/**
 * Creates a transformer whose cache NAMM manages.
 * @throws InputError for options that are wrong or do not fit together.
 */
export function createNAMMTransformer(
  config: NAMMTransformerOptions = {},
  overrides: NAMMTransformerOptions = {},
): NAMMTransformer {
  const options = { ...SEED, ...config, ...overrides };
  const namm = { ...config.nammConfig, ...overrides.nammConfig };
  if (namm.mode === 'parityOpenNamm') return new SeedTransformer(options);
  return new PolicyTransformer(options, resolveNAMMConfig(namm), feedForward({ ...config, ...overrides }));
}

/** The MLP of a transformer that is not the seed's. */
function feedForward({ ffn, activation }: NAMMTransformerOptions): 'swiglu' | 'gelu' {
  if (ffn !== undefined && activation !== undefined && ffn !== activation) {
    throw new InputError(
      `'activation' is read as 'ffn' here, but ${activation} and ${ffn} were given; give one of them.`,
    );
  }
  const chosen = ffn ?? activation ?? 'swiglu';
  if (chosen !== 'relu') return chosen;
  throw new InputError(
    "The activation 'relu' is the seed's alone; use the mode 'parityOpenNamm', or leave it out.",
  );
}

type Decided = NAMMTransformerOptions &
  Required<
    Pick<
      NAMMTransformerOptions,
      'vocabSize' | 'maxSeqLength' | 'dModel' | 'nHeads' | 'nLayers' | 'dFf' | 'dropout' | 'activation'
    >
  >;

abstract class OnEngine {
  #engine: Promise<Engine> | undefined;

  constructor(protected readonly options: Decided) {}

  protected engine(): Promise<Engine> {
    const { engine } = this.options;
    this.#engine ??= engine ? Promise.resolve(engine) : createEngine();
    return this.#engine;
  }

  protected async giveBack(): Promise<void> {
    if (!this.options.engine) await (await this.#engine)?.dispose();
    this.#engine = undefined;
  }
}

class PolicyTransformer extends OnEngine implements NAMMTransformer {
  readonly #config: NAMMConfig;
  readonly #options: TransformerOptions;
  #reader: ManagedReader | undefined;

  constructor(options: Decided, config: NAMMConfig, activation: 'swiglu' | 'gelu') {
    super(options);
    this.#config = config;
    const { ropeScaling } = options;
    this.#options = {
      vocabSize: options.vocabSize,
      context: options.maxSeqLength,
      modelWidth: options.dModel,
      heads: options.nHeads,
      keyValueHeads: options.nKvHeads ?? options.nHeads,
      layers: options.nLayers,
      mlpWidth: options.dFf,
      normEpsilon: options.normEps ?? 1e-5,
      rotaryBase: options.ropeTheta ?? 10_000,
      tiedHead: options.tieEmbeddings ?? false,
      positions: options.positional === 'learned' ? 'learned' : 'rotary',
      norm: options.norm ?? 'rms',
      activation,
      ...(ropeScaling && { rotaryScaling: { kind: 'ntk', ...ropeScaling } }),
    };
  }

  async forward(ids: NDArray, mask?: NDArray): Promise<NDArray> {
    const texts = (await this.#compiled()).read(ids.shape[0]!);
    try {
      return await texts.readAll(ids, mask);
    } finally {
      await texts.dispose();
    }
  }

  async generate(prompt: ArrayLike<number>, options: WriteOptions = {}): Promise<Int32Array> {
    const { maxNewTokens = 32, endIds = [], seed = 0, ...sampling } = options;
    const { model } = this.#managed();
    const session = Session.over(await this.newDecoder(), model, { seed, sampling });
    try {
      await session.append(prompt);
      const written: number[] = [];
      while (written.length < maxNewTokens) {
        const { id } = await session.next();
        if (endIds.includes(id)) break;
        written.push(id);
      }
      return Int32Array.from(written);
    } finally {
      await session.dispose();
    }
  }

  async newDecoder(): Promise<Decoder> {
    return new ManagedDecoder((await this.#compiled()).read(1));
  }

  async dispose(): Promise<void> {
    await this.#reader?.dispose();
    this.#reader = undefined;
    await this.giveBack();
  }

  #managed() {
    const { useNamm = true } = this.options;
    const policy = useNamm ? policyOf(this.#config, this.options) : fullPolicy();
    return manageTransformer(createTransformer(this.#options), policy, scheduleOf(this.#config));
  }

  async #compiled(): Promise<ManagedReader> {
    const managed = this.#managed();
    const params = this.options.params ?? managed.model.init(Rng.fromSeed(this.options.seed ?? 0));
    this.#reader ??= managed.compile(await this.engine(), params);
    return this.#reader;
  }
}

/** The seed's transformer as published: no cache, and a policy that never runs in evaluation. */
class SeedTransformer extends OnEngine implements NAMMTransformer {
  #weights: SeedWeights<NDArray> | undefined;

  async forward(ids: NDArray, mask?: NDArray): Promise<NDArray> {
    const config: SeedTransformerConfig = this.options;
    this.#weights ??= this.options.weights ?? initSeedWeights(config, Rng.fromSeed(this.options.seed ?? 0));
    const run = (tree: SeedWeights, tokens: tf.Tensor) => seedForward(config, tree, tokens);
    const masked = (tree: SeedWeights, tokens: tf.Tensor, seen: tf.Tensor) =>
      seedForward(config, tree, tokens, seen);
    const engine = await this.engine();
    return mask
      ? runOnce(engine, masked, this.#weights, ids, mask)
      : runOnce(engine, run, this.#weights, ids);
  }

  generate(): Promise<Int32Array> {
    throw new InputError("The seed's transformer writes nothing; use the mode 'improved'.");
  }

  newDecoder(): Promise<Decoder> {
    throw new InputError("The seed's transformer has no cache; use the mode 'improved'.");
  }

  dispose(): Promise<void> {
    return this.giveBack();
  }
}
