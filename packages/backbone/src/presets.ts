import { resolveConfig, type TransformerConfig, type TransformerOptions } from './config.js';

type Choices = Omit<Partial<TransformerOptions>, 'vocabSize'>;
type Preset = (options: { vocabSize: number } & Choices) => TransformerConfig;

const preset =
  (choices: Choices): Preset =>
  (options) =>
    resolveConfig({ ...choices, ...options });

const published =
  (choices: Choices, vocabSize: number) =>
  (options: Partial<TransformerOptions> = {}) =>
    resolveConfig({ vocabSize, ...choices, ...options });

/** Ready-made configurations; every option can still be overridden. */
export const presets = {
  /** 4 layers of width 128 and a context of 64: trains in a minute on two cores. */
  small: preset({ layers: 4, heads: 4, modelWidth: 128, context: 64, positions: 'rotary', norm: 'layer' }),
  /** What characters of Shakespeare reward: RMS norm, rotary positions, gated MLP, a longer context. */
  shakespeare: preset({
    layers: 5,
    heads: 6,
    modelWidth: 192,
    context: 128,
    positions: 'rotary',
    norm: 'rms',
    activation: 'swiglu',
    dropout: 0.1,
  }),
  /** `small` with a sliding window and attention sinks: streams without end. */
  streaming: preset({ layers: 4, heads: 4, modelWidth: 128, context: 64, window: 60, sinks: 4 }),
  /** GPT-2 (Radford et al. 2019), 124 M parameters. */
  gpt2: published(
    {
      context: 1024,
      layers: 12,
      heads: 12,
      modelWidth: 768,
      positions: 'learned',
      norm: 'layer',
      activation: 'geluTanh',
      queryKeyValueBias: true,
      outputBias: true,
      mlpBias: true,
      tiedHead: true,
    },
    50257,
  ),
  /** Qwen2.5-0.5B (2024). */
  qwen2: published(
    {
      context: 32768,
      capacity: 2048,
      layers: 24,
      heads: 14,
      keyValueHeads: 2,
      modelWidth: 896,
      mlpWidth: 4864,
      positions: 'rotary',
      rotaryBase: 1e6,
      norm: 'rms',
      normEpsilon: 1e-6,
      activation: 'swiglu',
      queryKeyValueBias: true,
      tiedHead: true,
    },
    151936,
  ),
  /** Llama 3.2 1B (2024). */
  llama3: published(
    {
      context: 131072,
      capacity: 2048,
      layers: 16,
      heads: 32,
      keyValueHeads: 8,
      modelWidth: 2048,
      headWidth: 64,
      mlpWidth: 8192,
      positions: 'rotary',
      rotaryBase: 500000,
      rotaryScaling: {
        kind: 'llama3',
        factor: 32,
        lowFrequencyFactor: 1,
        highFrequencyFactor: 4,
        originalContext: 8192,
      },
      norm: 'rms',
      normEpsilon: 1e-5,
      activation: 'swiglu',
      tiedHead: true,
    },
    128256,
  ),
} as const;
