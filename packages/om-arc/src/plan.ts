import type { OmConfig } from './config.js';

export type PassKind = 'ordinary' | 'differential' | 'hopfield';

/** What one pass of the memory is, as the configuration decides it. */
export interface PassPlan {
  readonly index: number;
  readonly kind: PassKind;
  /** Width of its input: the model's, or the value width of the pass before. */
  readonly inputWidth: number;
  /** Width of a key; of one half of it in a differential pass. */
  readonly keyWidth: number;
  /** Value width; a differential pass has twice this. */
  readonly valueWidth: number;
  /** Numbers of a row's query, key and value together. */
  readonly packedWidth: number;
  /** Width of what comes out, before a differential pass is mixed down. */
  readonly outputWidth: number;
  readonly iterations: number;
  /** Attentions with keys of their own: 1, but of a Hopfield pass of the readme edition as many as iterations. */
  readonly stages: number;
  /** Factor on query times key. */
  readonly scale: number;
  /** Components that are turned, and base of their frequencies. */
  readonly rope: { readonly turned: number; readonly base: number } | undefined;
  readonly isLast: boolean;
}

/** The passes of a configuration. */
export function passPlans(config: OmConfig): PassPlan[] {
  const last = config.dimsKey.length - 1;
  return config.dimsKey.map((key, index) => {
    const value = config.dimsValue[index]!;
    const iterations = config.numIters[index]!;
    const kind: PassKind = config.diffAttn ? 'differential' : iterations > 1 ? 'hopfield' : 'ordinary';
    const keyWidth = kind === 'hopfield' ? value : key;
    const parts = kind === 'differential' ? 2 : 1;
    return {
      index,
      kind,
      inputWidth: index === 0 ? config.dimInput : config.dimsValue[index - 1]!,
      keyWidth,
      valueWidth: value,
      packedWidth: parts * (2 * keyWidth + value),
      outputWidth: parts * value,
      iterations,
      stages: kind === 'hopfield' && config.edition === 'readme' ? iterations : 1,
      scale: config.scalingFactors[index] ?? 1 / Math.sqrt(keyWidth),
      rope: ropeOf(config, index, kind),
      isLast: index === last,
    };
  });
}

function ropeOf(config: OmConfig, index: number, kind: PassKind): PassPlan['rope'] {
  const options = config.rope[index];
  if (!options || (kind === 'hopfield' && config.edition === 'head')) return undefined;
  const { dim, pct, base } = options;
  return config.ropeVariant === 'rotateHalf'
    ? { turned: dim, base: 10000 }
    : { turned: Math.ceil(dim * pct), base };
}

/** Rows of the longest layout [read | tokens | write], M: the length of position tables. */
export const tableLength = ({ segmentLen, stateLen }: OmConfig): number => segmentLen + 2 * stateLen;

/** Ids of context in front of the first output position, g. */
export const contextIds = ({ initNgrams, initConvs }: OmConfig): number =>
  Math.max(1, ...initNgrams, ...initConvs) - 1;

/** Rows of embedding and head, V'. */
export const paddedVocabulary = ({ vocabSize, vocabOffset }: OmConfig): number => vocabSize + vocabOffset;

/** Whether every head's output is projected to the rank before the output projection. */
export function hasInnerProjection(config: OmConfig): boolean {
  return (config.stackedAttn && config.diffAttn) || config.dimsValue.at(-1) !== config.attnProjRank;
}

/** Width of one head where the output projection reads it. */
export function headWidth(config: OmConfig): number {
  if (hasInnerProjection(config)) return config.attnProjRank;
  return (config.diffAttn ? 2 : 1) * config.dimsValue.at(-1)!;
}

/** Whether tokens see nothing that comes later: all but the contextual positions of the reference. */
export const isCausal = ({ cope, copeVariant }: OmConfig): boolean => !cope || copeVariant === 'causal';

/** λ₀ of a layer's differential attention: 0.8 − 0.6 e^(−0.3 layer). */
export const lambdaInit = (layer: number): number => 0.8 - 0.6 * Math.exp(-0.3 * layer);

/** Numbers of the projections and of the MLP of one layer, as far as a token meets them. */
export const layerNumbers = (config: OmConfig): number =>
  passPlans(config).reduce(
    (sum, { inputWidth, packedWidth }) => sum + config.numHeads * inputWidth * packedWidth,
    2 * config.dimInput * config.dimHidden,
  );

/** Numbers of the state of one text at a segment border. */
export const stateSize = ({ numLayers, stateLen, dimInput }: OmConfig): number =>
  numLayers * stateLen * dimInput;
