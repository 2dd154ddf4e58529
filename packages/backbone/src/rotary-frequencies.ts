import type { RotaryScaling, TransformerConfig } from './config.js';

type Rotary = Pick<TransformerConfig, 'headWidth' | 'rotaryBase' | 'rotaryScaling' | 'capacity' | 'sinks'>;
type Kind<K extends RotaryScaling['kind']> = RotaryScaling & { kind: K };

/** Angular speeds of rotary positions, and what the rotated vectors are multiplied by. */
export interface RotarySpeeds {
  /** Radians per token, float64, one for each pair of dimensions that is rotated together. */
  readonly frequencies: Float64Array;
  /** Factor of cosines and sines. */
  readonly magnitude: number;
}

/**
 * Angular speeds of rotary position embedding (Su et al. 2021): ω_i = θ^(−2i/width), i < width / 2, after scaling. Where a
 * scaling depends on the length of the text (`dynamic`, `longrope`), that is the capacity of the cache.
 */
export function rotarySpeeds(config: Rotary): RotarySpeeds {
  const { headWidth, rotaryBase, rotaryScaling: scaling, capacity, sinks } = config;
  const slots = capacity + sinks;
  const base = stretchedBase(rotaryBase, headWidth, scaling, slots);
  const plain = plainFrequencies(base, headWidth);
  return {
    frequencies: scaled(plain, base, scaling, slots),
    magnitude: scaling?.kind === 'yarn' || scaling?.kind === 'longrope' ? scaling.magnitude : 1,
  };
}

/** The angular speeds of one layer, or nothing when it has no rotary positions. */
export function layerFrequencies(config: TransformerConfig, layer: number): Float64Array | undefined {
  if (config.positions !== 'rotary' || config.unrotatedLayers.includes(layer)) return undefined;
  const local = config.localLayers.includes(layer) ? localFrequencies(config) : undefined;
  return local ?? rotarySpeeds(config).frequencies;
}

/** The angular speeds of local layers, or nothing when they turn as all others do. */
export function localFrequencies(config: TransformerConfig): Float64Array | undefined {
  const { localRotaryBase: base, rotaryBase, rotaryScaling, headWidth } = config;
  const isUsual = base === null || (base === rotaryBase && rotaryScaling === null);
  return isUsual ? undefined : plainFrequencies(base, headWidth);
}

/** θ^(−2i/width), i < width / 2. */
export const plainFrequencies = (base: number, width: number): Float64Array =>
  Float64Array.from({ length: width / 2 }, (_, index) => base ** ((-2 * index) / width));

/** Angular speeds of the sinusoidal embedding of Vaswani et al. 2017: 10000^(−2i/width). */
export const sinusoidalFrequencies = (width: number): Float64Array => plainFrequencies(10000, width);

/** NTK-aware base: the slowest frequency is stretched by the factor, the fastest hardly. */
function stretchedBase(base: number, width: number, scaling: RotaryScaling | null, slots: number): number {
  const power = width / (width - 2);
  if (scaling?.kind === 'ntk') {
    const { factor, alpha } = scaling;
    return base * (alpha * factor - (alpha - 1)) ** power;
  }
  if (scaling?.kind === 'dynamic') {
    const { factor, originalContext } = scaling;
    const length = Math.max(slots, originalContext);
    return base * ((factor * length) / originalContext - (factor - 1)) ** power;
  }
  return base;
}

function scaled(
  plain: Float64Array,
  base: number,
  scaling: RotaryScaling | null,
  slots: number,
): Float64Array {
  switch (scaling?.kind) {
    case 'linear':
      return plain.map((frequency) => frequency / scaling.factor);
    case 'llama3':
      return plain.map((frequency) => scaledAsLlama3(frequency, scaling));
    case 'yarn':
      return scaledAsYarn(plain, base, scaling);
    case 'longrope': {
      const factors = slots > scaling.originalContext ? scaling.longFactors : scaling.shortFactors;
      return plain.map((frequency, index) => frequency / factors[index]!);
    }
    case 'factors':
      return plain.map((frequency, index) => frequency / scaling.factors[index]!);
    default:
      return plain;
  }
}

/** Llama 3.1: wavelengths beyond the original context are stretched, short ones kept, those between are blended. */
function scaledAsLlama3(
  frequency: number,
  { factor, lowFrequencyFactor, highFrequencyFactor, originalContext }: Kind<'llama3'>,
): number {
  const wavelength = (2 * Math.PI) / frequency;
  if (wavelength > originalContext / lowFrequencyFactor) return frequency / factor;
  if (wavelength < originalContext / highFrequencyFactor) return frequency;
  const share =
    (originalContext / wavelength - lowFrequencyFactor) / (highFrequencyFactor - lowFrequencyFactor);
  return ((1 - share) * frequency) / factor + share * frequency;
}

/**
 * YaRN (Peng et al. 2023, section 3.2): dimensions that turn often within the original context are kept, those that hardly
 * turn are stretched, and between the two the share grows linearly with the dimension.
 */
function scaledAsYarn(
  plain: Float64Array,
  base: number,
  { factor, originalContext, fastRotations, slowRotations, wholeDimensions }: Kind<'yarn'>,
): Float64Array {
  const width = 2 * plain.length;
  const dimensionOf = (rotations: number) =>
    (width * Math.log(originalContext / (rotations * 2 * Math.PI))) / (2 * Math.log(base));
  const [from, to] = [dimensionOf(fastRotations), dimensionOf(slowRotations)];
  const low = Math.max(wholeDimensions ? Math.floor(from) : from, 0);
  const high = Math.min(wholeDimensions ? Math.ceil(to) : to, width - 1);
  const span = high === low ? 0.001 : high - low;
  return plain.map((frequency, index) => {
    const stretched = Math.min(Math.max((index - low) / span, 0), 1);
    return (frequency / factor) * stretched + frequency * (1 - stretched);
  });
}
