import { z } from 'zod';
import { KakeyaError } from './errors.js';

/** The three bundles whose axes orient Kakeya sets. */
export const bundleNames = ['time', 'topic', 'ctx'] as const;
export type BundleName = (typeof bundleNames)[number];

const count = (low: number, fallback: number, text: string) =>
  z.int().min(low).default(fallback).describe(text);

/** Every option with its range, default and meaning. The first thirteen are the reference's (DERIVATION.md, "Configuration"). */
export const kakeyaConfigSchema = z.strictObject({
  nKakeyaSets: count(2, 4, 'validated; the number of sets is the length of the routing'),
  kakeyaVarianceRatio: z
    .number()
    .gt(0)
    .max(1)
    .default(0.99)
    .describe('variance the PCA of a sparse set keeps'),
  kakeyaK: count(2, 16, 'centers of a sparse set (fewer if there are fewer rows)'),
  kakeyaDRes: count(0, 5, 'stored residual entries of a sparse record'),
  kakeyaMinEntries: count(2, 8, 'entries at which sets are built and invariant 3 applies'),
  kakeyaAlignmentTol: z.number().positive().default(1e-3).describe('largest alignment error (invariant 4)'),
  kakeyaReconstructionTol: z
    .number()
    .gt(0)
    .lt(1)
    .default(0.15)
    .describe('relative error above which a set is stale'),
  compressionMinDim: count(64, 256, 'width from which a raw field on an entry is illegal'),
  dTime: count(4, 8, 'width of the time axis'),
  dTopic: count(4, 16, 'width of the topic axis'),
  dCtx: count(4, 12, 'width of the context axis'),
  mode: z
    .enum(['improved', 'parity'])
    .default('improved')
    .describe('parity keeps no epochs and checks as little as the reference'),
  encoder: z
    .enum(['refit', 'parity'])
    .default('refit')
    .describe('sparse encoder: least-squares refit or one pass'),
  assignment: z
    .enum(['axial', 'signed'])
    .default('axial')
    .describe('center choice of sparse sets: |cosine| or cosine'),
  coder: z
    .enum(['transform', 'sparse', 'pca-int8', 'pq'])
    .default('transform')
    .describe('record format of a set'),
  bytesPerVec: count(1, 52, 'bytes of one record of the transform, pca-int8 and pq coders'),
  quantiser: z
    .enum(['trellis', 'scalar'])
    .default('trellis')
    .describe(
      'residual levels of the transform coder: a trellis over the vector, or one component at a time',
    ),
  transformK: count(1, 64, 'most centers of the transform coder; sets take at most one per 16 rows'),
  baseToField: z
    .enum(['ridge', 'random', 'given'])
    .default('ridge')
    .describe(
      'map from bundle axes to fields; ridge needs base coordinates and falls back to random without',
    ),
  fieldScaling: z
    .enum(['rms', 'none'])
    .default('rms')
    .describe('divide each field by its root mean square before the PCA'),
  rebuildPolicy: z
    .enum(['doubling', 'breakEven', 'never'])
    .default('doubling')
    .describe(
      'when rebuildIfNeeded acts: at min entries times 2^k and on drift; never below break-even; or never',
    ),
  reservoirSize: count(2, 256, 'raw memories kept for rebuilding'),
  skeletonDtype: z
    .enum(['f16', 'f32'])
    .default('f16')
    .describe('precision a skeleton is rounded to and stored in'),
  seed: z.int().default(0).describe('seed of the reservoir and of trained quantisers'),
});

export type KakeyaConfig = z.output<typeof kakeyaConfigSchema>;
export type KakeyaConfigInput = z.input<typeof kakeyaConfigSchema>;

/** Fills in defaults and checks ranges; throws one sentence naming the first offending option. */
export function kakeyaConfig(options: KakeyaConfigInput = {}): KakeyaConfig {
  const parsed = kakeyaConfigSchema.safeParse(options);
  if (parsed.success) return Object.freeze(parsed.data);
  const issue = parsed.error.issues[0]!;
  const where = issue.path.length > 0 ? issue.path.join('.') : 'the options';
  throw new KakeyaError(`Kakeya configuration, ${where}: ${issue.message}.`);
}

/** Named sets of options. `reference` restores the original program's arithmetic and record. */
export const presets = {
  reference: {
    mode: 'parity',
    encoder: 'parity',
    assignment: 'signed',
    coder: 'sparse',
    baseToField: 'random',
    fieldScaling: 'none',
    rebuildPolicy: 'never',
    skeletonDtype: 'f32',
  },
} as const satisfies Record<string, KakeyaConfigInput>;
