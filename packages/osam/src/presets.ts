import { type OsamConfig, type OsamOptions, resolveConfig } from './config.js';

type Overrides = Omit<OsamOptions, 'mode'>;

/**
 * Decay factors of value memories that forget at different speeds: the first head keeps everything, the others keep
 * about their last 256 to `shortest` tokens, spaced evenly on a logarithmic scale.
 */
export function spreadDecays(heads: number, shortest = 4): number[] {
  const longest = 256;
  return Array.from({ length: heads }, (_, head) => {
    if (head === 0) return 1;
    const place = (head - 1) / Math.max(1, heads - 2);
    return 1 - 1 / (longest * (shortest / longest) ** place);
  });
}

/**
 * Decay factors for text, where the next token hangs on the last few: the first head keeps everything, the others leave 0.9 to
 * 0.15 of what they hold per token, spaced evenly.
 */
function shortDecays(heads: number): number[] {
  const [longest, shortest] = [0.9, 0.15];
  const step = (longest - shortest) / Math.max(1, heads - 2);
  return Array.from({ length: heads }, (_, head) => (head === 0 ? 1 : longest - (head - 1) * step));
}

/** Ready-made configurations; every option can still be overridden. */
export const presets = {
  /** The published program's arithmetic, options and generation rules. */
  reference: (options: Overrides): OsamConfig => resolveConfig({ ...options, mode: 'parity' }),
  /** One block with what measurements favour: the default. */
  improved: (options: Overrides): OsamConfig => resolveConfig({ ...options, mode: 'improved' }),
  /**
   * A stack for language modelling: pre-norm blocks with multi-head value memories, short convolutions and gated MLPs.
   * Without the feature path, which costs most and brought 0.02 bits on text (DERIVATION.md, "The improved block"), and without
   * rotation by the position, under heads that forget within a few tokens. On Tiny Shakespeare it reads held-out text at 1.48 nats per
   * character after 14 minutes of training on one core.
   */
  text: (options: Overrides): OsamConfig => {
    const heads = options.heads ?? 6;
    return resolveConfig({
      dModel: 192,
      layers: 4,
      featurePath: false,
      norm: 'pre',
      mlpRatio: 2.7,
      mlpKind: 'swiglu',
      convWidth: 4,
      headDecays: shortDecays(heads),
      omegaMode: 'none',
      readScale: 'effective',
      ...options,
      heads,
      mode: 'improved',
    });
  },
} as const;
