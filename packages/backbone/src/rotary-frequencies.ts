import type { RotaryScaling, TransformerConfig } from './config.js';

/**
 * Angular speeds of rotary position embedding (Su et al. 2021) in radians per token, float64: ω_i = θ^(−2i/width),
 * i < width / 2, after scaling.
 */
export function rotaryFrequencies(
  config: Pick<TransformerConfig, 'headWidth' | 'rotaryBase' | 'rotaryScaling'>,
): Float64Array {
  const { headWidth, rotaryBase, rotaryScaling } = config;
  const base =
    rotaryScaling?.kind === 'ntk' ? stretchedBase(rotaryBase, headWidth, rotaryScaling) : rotaryBase;
  return Float64Array.from({ length: headWidth / 2 }, (_, index) =>
    scaled(base ** ((-2 * index) / headWidth), rotaryScaling),
  );
}

/** Angular speeds of the sinusoidal embedding of Vaswani et al. 2017: 10000^(−2i/width). */
export function sinusoidalFrequencies(width: number): Float64Array {
  return Float64Array.from({ length: width / 2 }, (_, index) => 10000 ** ((-2 * index) / width));
}

/** Dynamic NTK's base: the slowest frequency is stretched by the factor, the fastest hardly. */
function stretchedBase(
  base: number,
  width: number,
  { factor, alpha }: RotaryScaling & { kind: 'ntk' },
): number {
  return base * (alpha * factor - (alpha - 1)) ** (width / (width - 2));
}

function scaled(frequency: number, scaling: RotaryScaling | null): number {
  if (scaling?.kind === 'linear') return frequency / scaling.factor;
  if (scaling?.kind === 'llama3') return scaledAsLlama3(frequency, scaling);
  return frequency;
}

/** Llama 3.1: wavelengths beyond the original context are stretched, short ones kept, those between are blended. */
function scaledAsLlama3(
  frequency: number,
  { factor, lowFrequencyFactor, highFrequencyFactor, originalContext }: RotaryScaling & { kind: 'llama3' },
): number {
  const wavelength = (2 * Math.PI) / frequency;
  if (wavelength > originalContext / lowFrequencyFactor) return frequency / factor;
  if (wavelength < originalContext / highFrequencyFactor) return frequency;
  const share =
    (originalContext / wavelength - lowFrequencyFactor) / (highFrequencyFactor - lowFrequencyFactor);
  return ((1 - share) * frequency) / factor + share * frequency;
}
