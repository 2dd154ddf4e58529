import type { KakeyaConfig } from '../config.js';
import type { FloatArray, Matrix } from '../linalg/matrix.js';
import { type Skeleton, skeletonFrom } from '../set/skeleton.js';
import { PcaInt8Coder } from './pca-int8-coder.js';
import { ProductQuantiser } from './product-quantiser.js';
import { TransformCoder } from './transform-coder.js';
import type { TrellisStates } from './trellis.js';
import { TrellisCoder, type TrellisLayout } from './trellis-coder.js';
import type { VectorCoder } from './vector-coder.js';

/** The options that choose and train a byte coder. */
export type CoderConfig = Pick<
  KakeyaConfig,
  'coder' | 'quantiser' | 'bytesPerVec' | 'transformK' | 'skeletonDtype' | 'seed'
>;

/** Fewer rows than this per center teach a coder its rows by heart and nothing about new ones. */
const ROWS_PER_CENTER = 16;

/** Trains the byte coder that the configuration names; null for "sparse", which has no byte form of its own. */
export function trainCoder(x: Matrix, axis: FloatArray, config: CoderConfig): VectorCoder | null {
  const { bytesPerVec, skeletonDtype, seed } = config;
  switch (config.coder) {
    case 'sparse':
      return null;
    case 'pca-int8':
      return PcaInt8Coder.train(x, { bytesPerVec });
    case 'pq':
      return ProductQuantiser.train(x, { bytesPerVec, seed });
    case 'transform': {
      const k = Math.max(1, Math.min(config.transformK, Math.floor(x.rows / ROWS_PER_CENTER)));
      return config.quantiser === 'scalar'
        ? TransformCoder.train(x, axis, { bytesPerVec, k, skeletonDtype })
        : TrellisCoder.train(x, axis, { bytesPerVec, k, skeletonDtype, seed });
    }
  }
}

/** The PCA, direction and centers inside a transform or trellis coder; null for coders without them. */
export function skeletonOfCoder(coder: VectorCoder): Skeleton | null {
  if (!(coder instanceof TransformCoder || coder instanceof TrellisCoder)) return null;
  return skeletonFrom({ ...coder.state, dRes: 0 });
}

/** What `tensors()` leaves out of a coder's saved form. */
export interface CoderHeader {
  readonly coder: string;
  readonly bytesPerVec: number;
  readonly layout?: TrellisLayout;
  readonly states?: TrellisStates;
  readonly radius?: number;
}

export function coderHeader(coder: VectorCoder): CoderHeader {
  const common = { coder: coder.coder, bytesPerVec: coder.bytesPerVec };
  if (coder instanceof ProductQuantiser && coder.radius !== undefined)
    return { ...common, radius: coder.radius };
  return coder instanceof TrellisCoder
    ? { ...common, layout: coder.state.layout, states: coder.states }
    : common;
}
