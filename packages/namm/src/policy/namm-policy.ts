import { type NDArray, ndarray, tf } from '@palimpsest/tensor-core';
import { spectrumWidth } from '../check-config.js';
import type { NAMMConfig } from '../config.js';
import { embedAge } from '../features/age.js';
import { padTokens } from '../features/attention-rows.js';
import { hostSpectra } from '../features/host-spectra.js';
import { checkStatistics, type FeatureStatistics, normaliseFeatures } from '../features/statistics.js';
import { advanceStream, readRows } from '../features/stream.js';
import { averageOverTime } from '../features/temporal-average.js';
import { scoreInBlocks } from '../scorer/hierarchy.js';
import { learnedThreshold } from '../scorer/layout.js';
import { prepareParameters, scoreFrame, scoreTokens } from '../scorer/score-tokens.js';
import type { CachePolicy, CacheView, PolicyState } from './policy.js';

/** Everything a policy has learned. */
export interface NAMMParameters {
  /** Flat vectors: one for all texts, or one for each text of a batch. */
  readonly vectors: readonly Float32Array[];
  /** Of the features: one pair for all layers, or one per layer. Absent: features stay as they are. */
  readonly statistics?: readonly FeatureStatistics[] | undefined;
}

const scoresFrames = ({ scorer }: NAMMConfig) => scorer === 'mlp' || scorer === 'linear';

/**
 * NAMM as a policy (Cetin et al. 2024): an evolved scorer decides what stays.
 * @throws InputError for statistics that features cannot be normalised by.
 */
export function nammPolicy(config: NAMMConfig, parameters: NAMMParameters): CachePolicy {
  const { vectors, statistics } = parameters;
  if (config.normalise && statistics) checkStatistics(statistics, spectrumWidth(config));
  const prepared = prepareParameters(config, vectors);
  const { kind, cacheSize } = config.selection;
  const thresholdOf = (vector: Float32Array) => learnedThreshold(config, vector) + config.thresholdShift;
  const watch = {
    name: 'namm',
    config: { policy: 'namm', ...config },
    needs: { rows: 'all', queries: false },
    hopLength: config.hopLength,
    parameters: ({ layer, heads }): Record<string, NDArray> => {
      const own = {
        flat: prepared.layer(layer, heads),
        ...(config.normalise && statistics && statisticsOf(statistics, layer)),
      };
      if (!config.hierarchy) return own;
      return { ...own, threshold: ndarray(Float32Array.from(vectors, thresholdOf), [vectors.length, 1, 1]) };
    },
    retention: {
      kind: 'threshold',
      rule: {
        ...{ kind, cacheSize },
        threshold: (row) => thresholdOf(vectors[row] ?? vectors[0]!),
        parity: config.eviction === 'parity',
      },
    },
  } satisfies Partial<CachePolicy>;
  return scoresFrames(config)
    ? {
        ...watch,
        observe: (state, { rows }) => holdFrames(config, state, rows!),
        score: (view) => scoresOverTime(config, view),
        afterUpdate: ({ tokens: { ring } }, scores) => ({
          tokens: { ...(ring && { ring }), scores: tf.expandDims(scores, 2) },
        }),
      }
    : {
        ...watch,
        observe: (state, { rows }) => {
          const { average, ring } = state?.tokens ?? {};
          const before = average && { average, ...(ring && { ring }) };
          return { tokens: advanceStream(config, rows!, before) };
        },
        onHost: (kernels) => hostSpectra(config, kernels),
        score: (view) => {
          const { positions, valid, isPacked } = view;
          const { flat, threshold } = view.parameters;
          const features = featuresOf(config, view, view.state!.tokens.average!);
          if (config.hierarchy) {
            return scoreInBlocks(prepared.config, flat!, { features, positions, valid }, threshold!);
          }
          // Tokens that look at newer ones alone never meet what stands before the oldest.
          const seesAll = isPacked && config.bam.maskingStrategy === 'backward';
          const shown = seesAll ? undefined : valid;
          return scoreTokens(prepared.config, flat!, { features, positions, valid: shown });
        },
      };
}

function statisticsOf(
  statistics: readonly FeatureStatistics[],
  layer: number,
): { mean: NDArray; variance: NDArray } {
  const { mean, variance } = statistics[layer] ?? statistics[0]!;
  return { mean: ndarray(mean), variance: ndarray(variance) };
}

/**
 * Features of the tokens: the embedded age, then the normalised spectrum.
 * @param spectrum `[batch, heads, width, tokens]`
 * @returns `[batch, heads, tokens, width]`
 */
export function featuresOf(
  config: NAMMConfig,
  { positions, parameters: { mean, variance } }: Pick<CacheView, 'positions' | 'parameters'>,
  spectrum: tf.Tensor,
): tf.Tensor {
  const normalised = mean && variance ? normaliseFeatures(spectrum, mean, variance) : spectrum;
  const tokenMajor = tf.transpose(normalised, [0, 1, 3, 2]);
  if (config.recencyEmbedDim === 0) return tokenMajor;
  return tf.concat([embedAge(config, positions), tokenMajor], 3);
}

/** Keeps the spectra of the interval, side by side on axis 2, since the age that scores them is that of the update. */
function holdFrames(config: NAMMConfig, state: PolicyState | undefined, rows: tf.Tensor): PolicyState {
  const tokens = rows.shape[3]!;
  const { ring, frames: fresh } = readRows(config, rows, state?.tokens.ring);
  const { frames, scores } = state?.tokens ?? {};
  const held = [...(frames ? [padTokens(frames, tokens)] : []), ...fresh];
  return {
    tokens: {
      ...(ring && { ring }),
      ...(held.length > 0 && { frames: held.length === 1 ? held[0]! : tf.concat(held, 2) }),
      ...(scores && { scores }),
    },
  };
}

/** Scores of all frames since the last update, brought together with what was carried: `[batch, heads, tokens]`. */
function scoresOverTime(config: NAMMConfig, view: CacheView): tf.Tensor {
  const { frames, scores } = view.state!.tokens;
  const width = spectrumWidth(config);
  const count = frames!.shape[2]! / width;
  const scored = tf
    .split(frames!, count, 2)
    .map((frame) =>
      tf.expandDims(scoreFrame(config, view.parameters.flat!, featuresOf(config, view, frame)), 2),
    );
  const averaged = averageOverTime(scored, scores, {
    coefficient: config.scoreEmaCoeff!,
    hopLength: config.hopLength,
    newTokens: count * config.hopLength,
  });
  const [batch, heads, , tokens] = averaged.shape as [number, number, number, number];
  return tf.reshape(averaged, [batch, heads, tokens]);
}
