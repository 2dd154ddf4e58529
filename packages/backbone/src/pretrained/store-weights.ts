import { floatsToHalves, type NDArray, sizeOf, zeros } from '@palimpsest/base';
import {
  type QuantisedBits,
  QuantisedMatrix,
  StoredArray,
  type StoredDType,
  StoredMatrix,
} from '@palimpsest/tensor-core';
import type { TransformerConfig } from '../config.js';
import type { FrozenMatrices, FrozenMatrix, OtherParameters } from '../frozen-transformer.js';
import { makeWithMatrices } from '../parameters.js';
import { placeOfRow, TensorReader, toFloats } from './convert-tensor.js';
import { blockFormats } from './gguf/block-formats.js';
import { entriesByPath, type LoadProgress, type WeightPlan } from './load-weights.js';
import type { StoredTensor, WeightSource } from './weight-files.js';
import type { WeightEntry } from './weight-map.js';
import type { WeightStore } from './weight-store.js';

/** How many bits the matrices of a frozen model take. */
export const weightFormats = ['4bit', '8bit', '16bit', '32bit'] as const;
export type WeightFormat = (typeof weightFormats)[number];

/** Weights whose matrices lie in files. */
export interface FrozenWeights {
  readonly matrices: FrozenMatrices;
  readonly params: OtherParameters<NDArray>;
}

/** A tensor of the files and where it goes. */
interface Part {
  readonly entry: WeightEntry;
  readonly tensor: StoredTensor;
}

/**
 * Brings all matrices into files in the form that the runtime reads, one after the other, so that memory holds one matrix at
 * most. Those that the files have in that form already stay where they are. With 8 and 4 bits, blocks of a GGUF file that are
 * a scale times whole numbers of no more bits are carried over; everything else is rounded once. With 16 bits, F16 and BF16
 * stay what they are.
 */
export async function storeWeights(
  config: TransformerConfig,
  format: WeightFormat,
  plan: WeightPlan,
  files: Pick<WeightSource, 'tensors'>,
  store: WeightStore,
  onProgress?: (progress: LoadProgress) => void,
): Promise<FrozenWeights> {
  const matrices = new Map<string, FrozenMatrix>();
  const { params, shapes } = placesOf(config);
  const reader = new TensorReader();
  let done = 0;
  for (const [path, entries] of entriesByPath(plan)) {
    const own = entries.map((entry) => ({ entry, tensor: files.tensors.get(entry.key)! }));
    const shape = shapes.get(path);
    if (shape) matrices.set(path, await storeMatrix(reader, shape, format, own, store));
    else for (const { tensor, entry } of own) await reader.readInto(tensor, entry, floatsOf(params[path]!));
    done += entries.length;
    onProgress?.({ done, total: plan.entries.length, key: entries[0]!.key });
  }
  return { matrices, params };
}

/** Reads what is no matrix. */
export async function readOthers(
  config: TransformerConfig,
  plan: WeightPlan,
  files: Pick<WeightSource, 'tensors'>,
  onProgress?: (progress: LoadProgress) => void,
): Promise<OtherParameters<NDArray>> {
  const { params } = placesOf(config);
  const reader = new TensorReader();
  const total = plan.entries.length;
  for (const entry of plan.entries) {
    const values = params[entry.path];
    if (values) await reader.readInto(files.tensors.get(entry.key)!, entry, floatsOf(values));
  }
  onProgress?.({ done: total, total, key: plan.entries.at(-1)!.key });
  return params;
}

/** Room for what is no matrix, and the shapes of the matrices, by path. */
function placesOf(config: TransformerConfig) {
  const params: Record<string, NDArray> = {};
  const shapes = new Map<string, readonly number[]>();
  makeWithMatrices(
    config,
    (shape, _role, path) => {
      params[path] = zeros(shape);
    },
    (shape, _role, path) => {
      shapes.set(path, shape);
    },
  );
  return { params, shapes };
}

const floatsOf = ({ data }: NDArray) => data as Float32Array;

async function storeMatrix(
  reader: TensorReader,
  shape: readonly number[],
  format: WeightFormat,
  parts: readonly Part[],
  store: WeightStore,
): Promise<FrozenMatrix> {
  if (format === '8bit' || format === '4bit') {
    return storeQuantised(await quantise(reader, shape, format === '8bit' ? 8 : 4, parts), store);
  }
  const dtype = format === '32bit' ? 'float32' : halfFormat(parts);
  const whole = inPlace(shape, dtype, parts);
  if (whole) await reader.readBeginnings(parts[0]!.tensor, parts[0]!.entry.key);
  return new StoredMatrix(whole ?? (await rewrite(reader, shape, dtype, parts, store)));
}

const STORED: Readonly<Record<string, StoredDType>> = { F32: 'float32', F16: 'float16', BF16: 'bfloat16' };

/** What the files have in 16 bits stays so; everything else is rounded to half precision. */
function halfFormat(parts: readonly Part[]): StoredDType {
  return parts.every(({ tensor }) => tensor.dtype === 'BF16') ? 'bfloat16' : 'float16';
}

/** The array in the file that was given, when it lies there as a whole and as it is used. */
function inPlace(
  shape: readonly number[],
  dtype: StoredDType,
  [part, ...others]: readonly Part[],
): StoredArray | undefined {
  const { entry, tensor } = part!;
  const { transposed, interleaved, plus } = entry;
  const isPlain = !transposed && interleaved === undefined && plus === undefined && others.length === 0;
  if (!isPlain || STORED[tensor.dtype] !== dtype || tensor.position % 4 !== 0) return undefined;
  return new StoredArray(tensor.file, tensor.position, shape, dtype);
}

async function rewrite(
  reader: TensorReader,
  shape: readonly number[],
  dtype: StoredDType,
  parts: readonly Part[],
  store: WeightStore,
): Promise<StoredArray> {
  const array = store.reserve(shape, dtype);
  const size = array.byteLength / sizeOf(shape);
  for (const { tensor, entry } of parts) {
    const write = (values: Float32Array | Uint16Array, first: number) =>
      store.write(array, first * size, new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
    if (STORED[tensor.dtype] === dtype && dtype !== 'float32') await reader.eachBits(tensor, entry, write);
    else if (dtype === 'float32') await reader.eachPiece(tensor, entry, write);
    else await reader.eachPiece(tensor, entry, (values, first) => write(floatsToHalves(values), first));
  }
  return array;
}

async function storeQuantised(matrix: QuantisedMatrix, store: WeightStore): Promise<QuantisedMatrix> {
  const { outputs, inputs, bits, blocks, blockBytes } = matrix;
  const packed = store.reserve([outputs, blocks, blockBytes], 'uint8');
  await store.write(packed, 0, matrix.packed);
  const scales = store.reserve([outputs, blocks], 'float32');
  await store.write(scales, 0, new Uint8Array(matrix.scales.buffer));
  return new QuantisedMatrix(outputs, inputs, bits, { packed, scales });
}

/** A matrix of few bits, in memory. */
export async function quantise(
  reader: TensorReader,
  [outputs, inputs]: readonly number[],
  bits: QuantisedBits,
  parts: readonly Part[],
): Promise<QuantisedMatrix> {
  const matrix = new QuantisedMatrix(outputs!, inputs!, bits);
  for (const { tensor, entry } of parts) await readMatrix(reader, tensor, entry, matrix);
  return matrix;
}
async function readMatrix(
  reader: TensorReader,
  tensor: StoredTensor,
  entry: WeightEntry,
  matrix: QuantisedMatrix,
): Promise<void> {
  const { key, row: start = 0, interleaved, transposed } = entry;
  if (transposed) {
    const [inputs, outputs] = tensor.shape as [number, number];
    const whole = new Float32Array(inputs * outputs);
    await reader.readInto(tensor, { ...entry, row: 0 }, whole);
    for (let row = 0; row < outputs; row++) {
      matrix.setRow(start + row, whole.subarray(row * inputs, (row + 1) * inputs));
    }
    return;
  }
  const place = (row: number) => start + (interleaved === undefined ? row : placeOfRow(row, interleaved));
  const carried = carriedFormat(tensor, matrix.bits);
  const levels = new Int8Array(32);
  const values = new Float32Array(matrix.inputs);
  await reader.readRows(tensor, key, (bytes, first, rows) => {
    const rowBytes = bytes.length / rows;
    for (let row = 0; row < rows; row++) {
      const target = place(first + row);
      if (carried) {
        for (let block = 0; block < matrix.blocks; block++) {
          const scale = carried.levels(bytes, row * rowBytes + block * carried.bytes, levels);
          matrix.setBlock(target, block, scale, levels);
        }
      } else {
        // Views of wide values have to begin where such a value can.
        const own = bytes.slice(row * rowBytes, (row + 1) * rowBytes);
        toFloats(tensor, key, own, values);
        matrix.setRow(target, values);
      }
    }
  });
}

/** The format of blocks that need no rounding. */
function carriedFormat({ dtype }: StoredTensor, bits: QuantisedBits) {
  const format = Object.hasOwn(blockFormats, dtype) ? blockFormats[dtype] : undefined;
  if (!format?.levels || format.levelBits! > bits) return undefined;
  return { levels: format.levels, bytes: format.bytes };
}
