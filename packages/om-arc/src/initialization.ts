import { full, type NDArray, type Rng, zeros } from '@palimpsest/tensor-core';
import type { OmConfig } from './config.js';
import type {
  AffineParams,
  ArcParams,
  ConvParams,
  GatedParams,
  LayerParams,
  MlpParams,
  NgramParams,
  NormParams,
  OmParams,
  PassParams,
  ProjectionParams,
  Regions,
} from './parameters.js';
import {
  hasInnerProjection,
  headWidth,
  type PassPlan,
  paddedVocabulary,
  passPlans,
  tableLength,
} from './plan.js';

type Host = NDArray;

/** Standard deviation of the embedding, √0.4. */
const EMBEDDING_DEVIATION = Math.sqrt(0.4);

/** Draws of one configuration: the reference's spread follows the outputs of a map, the default's its inputs. */
class Draws {
  readonly isReference: boolean;

  constructor(
    private readonly config: OmConfig,
    private readonly rng: Rng,
  ) {
    this.isReference = config.initVariant === 'reference';
  }

  normal(shape: readonly number[], deviation: number): Host {
    return this.rng.normalArray(shape, 0, deviation);
  }

  uniform(shape: readonly number[], bound: number): Host {
    return this.rng.uniformArray(shape, -bound, bound);
  }

  /** A projection inside the memory. `columns`: widths of the maps that lie side by side, which repeat along the last axis. */
  projection(shape: readonly number[], inputs: number, columns: readonly number[]): Host {
    if (!this.isReference) return this.normal(shape, 1 / Math.sqrt(inputs));
    if (!this.config.stackedAttn) return this.uniform(shape, 1 / Math.sqrt(inputs));
    const spreads = columns.flatMap((width) => new Array<number>(width).fill(1 / Math.sqrt(width)));
    const result = this.normal(shape, 1);
    for (let i = 0; i < result.data.length; i++) result.data[i]! *= spreads[i % spreads.length]!;
    return result;
  }

  /** A map that ends a branch. */
  branchEnd(shape: readonly number[], inputs: number): Host {
    return this.normal(shape, 1 / Math.sqrt(this.isReference ? 2 * this.config.numLayers : inputs));
  }

  /** Any other map, with its bias. */
  affine(layers: number, inputs: number, outputs: number): AffineParams<Host> {
    const bound = 1 / Math.sqrt(inputs);
    return {
      weight: this.uniform([layers, inputs, outputs], bound),
      bias: this.uniform([layers, outputs], bound),
    };
  }

  norm(...shape: number[]): NormParams<Host> {
    return { gain: full(shape, 1), bias: zeros(shape) };
  }
}

/** Read and written state share one set of weights, or have one each. */
function regions<W>(isShared: boolean, make: () => W): Regions<W> {
  return isShared ? { token: make(), state: make() } : { token: make(), read: make(), write: make() };
}

const isShared = ({ stateProjections }: OmConfig) => stateProjections === 'shared';

function initProjection(config: OmConfig, plan: PassPlan, draws: Draws, L: number): ProjectionParams<Host> {
  const { numHeads: H, attnNormalize } = config;
  const { inputWidth: c, valueWidth, keyWidth, packedWidth } = plan;
  const parts = plan.kind === 'differential' ? 2 : 1;
  const [key, value] = [parts * keyWidth, parts * valueWidth];
  const ofInput = (width: number) => (plan.index === 0 ? [L, c, H * width] : [L, H, c, width]);
  const isHopfield = plan.kind === 'hopfield';
  return {
    qkv: isHopfield
      ? draws.projection([L, H, value, 3 * value], value, [value])
      : draws.projection(ofInput(packedWidth), c, [key, key, value]),
    hidden: isHopfield ? draws.projection(ofInput(value), c, [value]) : undefined,
    inputNorm: attnNormalize === 'input' ? draws.norm(L, H, c) : undefined,
    ...(attnNormalize === 'qkv' && {
      queryNorm: draws.norm(L, H, key),
      keyNorm: draws.norm(L, H, key),
      valueNorm: draws.norm(L, H, value),
    }),
  };
}

function initPass(config: OmConfig, plan: PassPlan, draws: Draws, L: number): PassParams<Host> {
  const { numHeads: H } = config;
  const { kind, keyWidth, valueWidth, isLast } = plan;
  const isDifferential = kind === 'differential';
  const tableHeads = kind === 'hopfield' && config.stackedAttn ? 1 : H;
  const table = () =>
    draws.normal([L, tableHeads, keyWidth, tableLength(config)], draws.isReference ? 1 : 0.02);
  const vector = () => draws.normal([L, H, keyWidth], draws.isReference ? 1 : 0.1);
  const mixing = () => draws.projection([L, H, 2 * valueWidth, valueWidth], 2 * valueWidth, [valueWidth]);
  return {
    projections: regions(isShared(config), () => initProjection(config, plan, draws, L)),
    ...(config.cope && { cope: isDifferential ? [table(), table()] : [table()] }),
    ...(isDifferential && {
      lambda: { query1: vector(), key1: vector(), query2: vector(), key2: vector() },
      outputNorm: draws.norm(L, H, 2 * valueWidth),
      mix: isLast ? undefined : regions(isShared(config) && !config.stackedAttn, mixing),
    }),
  };
}

/** Fresh parameters of the attention blocks of layers `first` to `first + L - 1`. */
export function initArc(config: OmConfig, rng: Rng, first = 0, L = config.numLayers): ArcParams<Host> {
  const draws = new Draws(config, rng);
  const { numHeads: H, dimInput: d, stateLen, attnProjRank: rank } = config;
  const plans = passPlans(config);
  const width = plans.at(-1)!.outputWidth;
  const joined = H * headWidth(config);
  const states = draws.normal([L, stateLen, d], 1);
  if (first === 0) {
    const deviation = draws.isReference ? 1 / EMBEDDING_DEVIATION : EMBEDDING_DEVIATION;
    for (let i = 0; i < stateLen * d; i++) states.data[i]! *= deviation;
  }
  return {
    initState: states,
    passes: plans.map((plan) => initPass(config, plan, draws, L)),
    inner: hasInnerProjection(config)
      ? regions(isShared(config), () => draws.projection([L, H, width, rank], width, [rank]))
      : undefined,
    output: {
      token: draws.branchEnd([L, joined, d], joined),
      state: draws.branchEnd([L, joined, d], joined),
    },
  };
}

/** Widths along a chain of maps: in, hidden (once, or twice half of it), out. */
function chainWidths(config: OmConfig, multiplier: number): number[] {
  const hidden = config.dimHidden * multiplier;
  const half = Math.floor(hidden / 2);
  const inside = config.mlp1221 ? [half, half] : [hidden];
  return [config.dimInput, ...inside, config.dimInput * multiplier];
}

function initGated(
  config: OmConfig,
  draws: Draws,
  L: number,
  inputs: number,
  outputs: number,
  isEnd: boolean,
): GatedParams<Host> {
  const bound = draws.isReference ? 1 / Math.sqrt(outputs) : Math.sqrt(3 / inputs);
  const matrix = () =>
    isEnd ? draws.branchEnd([L, inputs, outputs], inputs) : draws.uniform([L, inputs, outputs], bound);
  return {
    gate: matrix(),
    gateBias: zeros([L, outputs]),
    value: matrix(),
    valueBias: zeros([L, outputs]),
    beta: config.activation === 'swiglu' ? full([L, 1], 1) : undefined,
  };
}

/** Fresh parameters of `L` stacked MLPs. @param multiplier on hidden and output width. */
export function initMlp(config: OmConfig, rng: Rng, L: number, multiplier = 1): MlpParams<Host> {
  const draws = new Draws(config, rng);
  const { activation, dimInput: d, dimHidden: h } = config;
  if (activation.startsWith('ffn')) {
    const bound = draws.isReference ? 1 / Math.sqrt(h) : Math.sqrt(3 / d);
    const [gate, value] = [draws.uniform([L, d, h], bound), draws.uniform([L, d, h], bound)];
    return { gate, value, output: draws.branchEnd([L, h, d], h) };
  }
  const widths = chainWidths(config, multiplier);
  const last = widths.length - 2;
  const links = widths.slice(1).map((out, i) => ({ into: widths[i]!, out, isEnd: i === last }));
  if (activation === 'swiglu' || activation === 'geglu') {
    return { gated: links.map(({ into, out, isEnd }) => initGated(config, draws, L, into, out, isEnd)) };
  }
  const plain = links.map(({ into, out, isEnd }) => {
    const map = draws.affine(L, into, out);
    return isEnd ? { ...map, weight: draws.branchEnd([L, into, out], into) } : map;
  });
  return { plain, beta: activation === 'swish' ? full([L, 1], 1) : undefined };
}

/** Fresh parameters of layers `first` to `first + L - 1`; the last of a widened model keeps its MLP elsewhere. */
export function initLayers(config: OmConfig, rng: Rng, first = 0, L = config.numLayers): LayerParams<Host> {
  const draws = new Draws(config, rng);
  const d = config.dimInput;
  const ordinary = config.finalMlpMultiplier === 1 ? L : L - 1;
  return {
    ...initArc(config, rng, first, L),
    attentionNorm: draws.norm(L, d),
    mlp: initMlp(config, rng, ordinary),
    mlpNorm: draws.norm(ordinary, d),
    ...(config.edition === 'head' && { stateNorm: draws.norm(L, d) }),
    ...(config.stateUpdate === 'gated' && { stateGate: draws.normal([L, 2 * d, d], 1 / Math.sqrt(2 * d)) }),
  };
}

function initNgram(config: OmConfig, draws: Draws, size: number): NgramParams<Host> {
  const d = config.dimInput;
  const rank = Math.floor(d / size);
  const [down, up] = draws.isReference ? [rank, d] : [size * d, rank];
  return {
    down: draws.normal([rank, size * d], 1 / Math.sqrt(down)),
    up: draws.normal([d, rank], 1 / Math.sqrt(up)),
  };
}

function initConv(config: OmConfig, draws: Draws, size: number): ConvParams<Host> {
  const d = config.dimInput;
  const bound = 1 / Math.sqrt(size * d);
  return { weight: draws.uniform([d, size * d], bound), bias: draws.uniform([d], bound) };
}

/** Fresh parameters of a model. Equal seeds give equal parameters. */
export function initParameters(config: OmConfig, rng: Rng): OmParams<Host> {
  const draws = new Draws(config, rng);
  const { dimInput: d, initNgrams, initConvs, finalMlpMultiplier: m, edition } = config;
  const vocabulary = paddedVocabulary(config);
  const bound = 1 / Math.sqrt(d * m);
  return {
    embedding: draws.normal([vocabulary, d], EMBEDDING_DEVIATION),
    ngrams: initNgrams.length > 0 ? initNgrams.map((size) => initNgram(config, draws, size)) : undefined,
    convs: initConvs.length > 0 ? initConvs.map((size) => initConv(config, draws, size)) : undefined,
    layers: initLayers(config, rng),
    final: m !== 1 ? { mlp: initMlp(config, rng, 1, m), mlpNorm: draws.norm(1, d * m) } : undefined,
    head: {
      weight: draws.uniform([vocabulary, d * m], bound),
      bias: edition === 'readme' ? draws.uniform([vocabulary], bound) : undefined,
    },
  };
}
