import { type NDArray, zeros } from '@palimpsest/base';
import { type QuantisedBits, QuantisedMatrix } from '@palimpsest/tensor-core';
import type { TransformerConfig } from '../config.js';
import { makeWithMatrices } from '../parameters.js';
import type { OtherParameters, QuantisedMatrices } from '../quantised-transformer.js';
import { placeOfRow, TensorReader, toFloats } from './convert-tensor.js';
import { blockFormats } from './gguf/block-formats.js';
import type { LoadProgress, WeightPlan } from './load-weights.js';
import type { StoredTensor, WeightSource } from './weight-files.js';
import type { WeightEntry } from './weight-map.js';

/** Weights with matrices of few bits. */
export interface QuantisedWeights {
  readonly matrices: QuantisedMatrices;
  readonly params: OtherParameters<NDArray>;
}

/**
 * Reads all weights, matrices with few bits. Blocks of a GGUF file that are a scale times whole numbers of no more bits
 * are carried over as they are; everything else is rounded once. Memory holds the result and a few megabytes.
 */
export async function quantiseWeights(
  config: TransformerConfig,
  bits: QuantisedBits,
  plan: WeightPlan,
  files: Pick<WeightSource, 'tensors'>,
  onProgress?: (progress: LoadProgress) => void,
): Promise<QuantisedWeights> {
  const matrices = new Map<string, QuantisedMatrix>();
  const params: Record<string, NDArray> = {};
  makeWithMatrices(
    config,
    (shape, _role, path) => {
      params[path] = zeros(shape);
    },
    ([outputs, inputs], _role, path) => {
      matrices.set(path, new QuantisedMatrix(outputs!, inputs!, bits));
    },
  );
  const reader = new TensorReader();
  for (const [index, entry] of plan.entries.entries()) {
    const tensor = files.tensors.get(entry.key)!;
    const matrix = matrices.get(entry.path);
    if (matrix && tensor.shape.length === 2) await readMatrix(reader, tensor, entry, matrix);
    else await reader.readInto(tensor, entry, params[entry.path]!.data as Float32Array);
    onProgress?.({ done: index + 1, total: plan.entries.length, key: entry.key });
  }
  return { matrices, params };
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
