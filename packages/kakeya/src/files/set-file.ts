import type { SafeTensor } from '@palimpsest/base';
import { type CoderHeader, coderHeader } from '../coders/coders.js';
import { PcaInt8Coder } from '../coders/pca-int8-coder.js';
import { ProductQuantiser } from '../coders/product-quantiser.js';
import { TransformCoder } from '../coders/transform-coder.js';
import { TrellisCoder } from '../coders/trellis-coder.js';
import type { VectorCoder } from '../coders/vector-coder.js';
import type { KakeyaConfig } from '../config.js';
import { KakeyaError } from '../errors.js';
import type { Slice } from '../set/field-scaling.js';
import type { KakeyaSet, SetState } from '../set/kakeya-set.js';
import { type Skeleton, type SkeletonDtype, skeletonFrom } from '../set/skeleton.js';
import { storedIntegers, storedMatrix, storedVector, type TensorReader } from './kakeya-file.js';

/** The JSON part of a saved set; null for an inactive one. */
export interface SetHeader {
  readonly epoch: number;
  readonly slices: readonly Slice[];
  readonly scaled: boolean;
  readonly dRes: number;
  readonly coder: CoderHeader | null;
}

/** Parts of a coder that keep float32 whatever the skeleton's precision. */
const FULL_PRECISION = new Set(['sigma', 'scales', 'codebook']);

/** Arrays and header of a set, names prefixed. */
export function writeSet(
  set: KakeyaSet,
  prefix: string,
): { header: SetHeader | null; tensors: Record<string, SafeTensor> } {
  const { state } = set;
  if (state === null) return { header: null, tensors: {} };
  const dtype = set.config.skeletonDtype === 'f16' ? 'F16' : 'F32';
  const tensors: Record<string, SafeTensor> = {
    ...writeSkeleton(state.skeleton, `${prefix}skeleton/`, dtype),
  };
  if (state.scale !== null) tensors[`${prefix}scale`] = storedVector(state.scale);
  if (state.coder !== null) Object.assign(tensors, writeCoder(state.coder, `${prefix}coder/`, dtype));
  const header = {
    epoch: state.epoch,
    slices: state.slices,
    scaled: state.scale !== null,
    dRes: state.skeleton.dRes,
    coder: state.coder === null ? null : coderHeader(state.coder),
  };
  return { header, tensors };
}

/** Basis, mean, direction and centers, names prefixed. */
export function writeSkeleton(
  skeleton: Skeleton,
  prefix: string,
  dtype: 'F16' | 'F32',
): Record<string, SafeTensor> {
  return {
    [`${prefix}basis`]: storedMatrix(skeleton.basis, dtype),
    [`${prefix}mean`]: storedVector(skeleton.mean, dtype),
    [`${prefix}tDir`]: storedVector(skeleton.tDir, dtype),
    [`${prefix}centers`]: storedMatrix(skeleton.centers, dtype),
  };
}

/** Inverse of {@link writeSkeleton}. */
export function readSkeleton(reader: TensorReader, prefix: string, dRes: number): Skeleton {
  return skeletonFrom({
    basis: reader.matrix(`${prefix}basis`),
    mean: reader.floats(`${prefix}mean`),
    tDir: reader.floats(`${prefix}tDir`),
    centers: reader.matrix(`${prefix}centers`),
    dRes,
  });
}

function writeCoder(coder: VectorCoder, prefix: string, dtype: 'F16' | 'F32'): Record<string, SafeTensor> {
  const half = dtype === 'F16' && (coder instanceof TransformCoder || coder instanceof TrellisCoder);
  const tensors: Record<string, SafeTensor> = {};
  for (const [name, part] of Object.entries(coder.tensors())) {
    const own = half && !FULL_PRECISION.has(name) ? 'F16' : 'F32';
    tensors[prefix + name] =
      part instanceof Int32Array
        ? storedIntegers(part)
        : part instanceof Float32Array
          ? storedVector(part, own)
          : storedMatrix(part, own);
  }
  return tensors;
}

/** A set's state from its header and arrays. */
export function readSet(
  header: SetHeader,
  reader: TensorReader,
  prefix: string,
  config: KakeyaConfig,
): SetState {
  return {
    skeleton: readSkeleton(reader, `${prefix}skeleton/`, header.dRes),
    coder:
      header.coder === null ? null : readCoder(header.coder, reader, `${prefix}coder/`, config.skeletonDtype),
    scale: header.scaled ? reader.floats(`${prefix}scale`) : null,
    slices: header.slices,
    epoch: header.epoch,
  };
}

function readCoder(
  header: CoderHeader,
  reader: TensorReader,
  prefix: string,
  dtype: SkeletonDtype,
): VectorCoder {
  const { bytesPerVec } = header;
  if (header.coder === 'pq') {
    return new ProductQuantiser(reader.matrix(`${prefix}codebook`), bytesPerVec, header.radius);
  }
  const basis = reader.matrix(`${prefix}basis`);
  const mean = reader.floats(`${prefix}mean`);
  const scales = reader.floats(`${prefix}scales`);
  if (header.coder === 'pca-int8') return new PcaInt8Coder({ basis, mean, scales }, bytesPerVec);
  const state = {
    basis,
    mean,
    scales,
    tDir: reader.floats(`${prefix}tDir`),
    centers: reader.matrix(`${prefix}centers`),
    residualMean: reader.floats(`${prefix}residualMean`),
    sigma: reader.floats(`${prefix}sigma`),
    bits: reader.integers(`${prefix}bits`),
  };
  if (header.coder === 'transform') return new TransformCoder(state, bytesPerVec, dtype);
  const { layout, states } = header;
  if (header.coder !== 'trellis' || layout === undefined || states === undefined) {
    throw new KakeyaError(`The file holds a coder named ${header.coder}, which this version does not know.`);
  }
  return new TrellisCoder({ ...state, layout }, { bytesPerVec, skeletonDtype: dtype, states });
}
