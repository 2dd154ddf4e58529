import { type Engine, QuantisedMatrix, StoredMatrix } from '@palimpsest/tensor-core';
import { cacheBytesPerToken, slotsOf } from '../cache.js';
import type { TransformerConfig } from '../config.js';
import type { FrozenMatrices, FrozenMatrix } from '../frozen-transformer.js';
import { isFusible } from '../fused-forms.js';
import {
  BLOCK,
  GROUP,
  hasKernels,
  type KernelBits,
  type KernelMatrix,
  matrixRoom,
  TransformerKernels,
} from './kernels.js';

/** Rows of a matrix that are read from its file at once. */
const PIECE = 16 * GROUP;
/** Bytes that addresses reach, less what scratch takes. */
const MOST_BYTES = 3.75 * 2 ** 30;

/**
 * Whether a model is decoded by kernels of its own in place of a graph: Llama's shape, weights of 32, 8 or 4 bits whose products
 * these kernels have, and a memory that holds them beside one text.
 */
export function fitsKernels(engine: Engine, config: TransformerConfig, matrices: FrozenMatrices): boolean {
  const isHere = engine.name === 'onnx' && engine.describe().device === 'cpu';
  const all = [...matrices.values()];
  return (
    isHere &&
    isLlama(config) &&
    all.every((matrix) => {
      const bits = bitsOf(matrix);
      return bits === bitsOf(all[0]!) && bits !== undefined && hasKernels(bits);
    }) &&
    // Prompts of such are multiplied by the runtime.
    (bitsOf(all[0]!) !== 32 || isFusible(engine, config)) &&
    all.every(({ inputs }) => inputs % BLOCK === 0) &&
    roomOf(matrices) + slotsOf(config) * cacheBytesPerToken(config) <= MOST_BYTES
  );
}

/** Whether a model has nothing but what is written out here, in widths that are multiples of sixteen. */
function isLlama(config: TransformerConfig): boolean {
  const { heads, keyValueHeads, headWidth, modelWidth, mlpWidth, rotaryScaling, localLayers } = config;
  const dependsOnLength = rotaryScaling?.kind === 'dynamic' || rotaryScaling?.kind === 'longrope';
  const widths = [(heads + 2 * keyValueHeads) * headWidth, modelWidth, 2 * mlpWidth];
  return (
    config.positions === 'rotary' &&
    config.norm === 'rms' &&
    config.activation === 'swiglu' &&
    !config.evictable &&
    !config.sandwichNorms &&
    !dependsOnLength &&
    localLayers.length === 0 &&
    headWidth % 4 === 0 &&
    widths.every((width) => width % GROUP === 0)
  );
}

function bitsOf(matrix: FrozenMatrix): KernelBits | undefined {
  if (matrix instanceof QuantisedMatrix) return matrix.bits;
  return matrix.array.dtype === 'float32' ? 32 : undefined;
}

const roomOf = (matrices: FrozenMatrices): number =>
  [...matrices.values()].reduce(
    (total, matrix) => total + 4 * matrixRoom(matrix.outputs, matrix.inputs, bitsOf(matrix)!),
    0,
  );

/** Matrices in the kernels' memory, for all decoders of a model; the last one that goes takes them along. */
export class KernelMatrices {
  static readonly #made = new WeakMap<FrozenMatrices, Map<number, KernelMatrices>>();

  readonly kernels: TransformerKernels;
  readonly #places = new Map<string, KernelMatrix>();
  #users = 0;

  private constructor(
    private readonly given: FrozenMatrices,
    threads: number,
  ) {
    const widest = Math.max(...[...given.values()].map(({ inputs }) => inputs));
    this.kernels = new TransformerKernels(threads, widest);
    for (const [path, matrix] of given) {
      const place = matrix instanceof StoredMatrix ? this.#placeWhole(matrix) : this.#place(matrix);
      this.#places.set(path, place);
    }
  }

  /** The matrices of a model, placed by the first who asks. */
  static of(matrices: FrozenMatrices, threads: number): KernelMatrices {
    const made = KernelMatrices.#made.get(matrices) ?? new Map<number, KernelMatrices>();
    KernelMatrices.#made.set(matrices, made);
    const own = made.get(threads) ?? new KernelMatrices(matrices, threads);
    made.set(threads, own);
    own.#users += 1;
    return own;
  }

  at(path: string): KernelMatrix {
    return this.#places.get(path)!;
  }

  release(): void {
    this.#users -= 1;
    if (this.#users > 0) return;
    KernelMatrices.#made.get(this.given)!.delete(this.kernels.threads);
    this.kernels.dispose();
  }

  #placeWhole({ array, outputs, inputs, byteLength }: StoredMatrix): KernelMatrix {
    const place = this.kernels.allocate(matrixRoom(outputs, inputs, 32));
    array.readInto(this.kernels.bytes(place, byteLength));
    return { place, outputs, inputs, bits: 32 };
  }

  #place(matrix: QuantisedMatrix): KernelMatrix {
    const { outputs, inputs, bits, blocks, blockBytes } = matrix;
    const place = this.kernels.allocate(matrixRoom(outputs, inputs, bits));
    for (let row = 0; row < outputs; row += PIECE) {
      const rows = Math.min(PIECE, outputs - row);
      const padded = Math.ceil(rows / GROUP) * GROUP;
      const to = place + matrixRoom(row, inputs, bits);
      const { packed, scales } = matrix.bytesOfRows(row, rows);
      this.kernels.arrange(
        to,
        filledUp(packed, padded * blocks * blockBytes),
        filledUp(scales, padded * blocks * 4),
        { inputs, bits },
      );
    }
    return { place, outputs, inputs, bits };
  }
}

/** Bytes of rows, and zeros for those that are missing. */
function filledUp(bytes: Uint8Array, length: number): Uint8Array {
  if (bytes.length === length) return bytes;
  const filled = new Uint8Array(length);
  filled.set(bytes);
  return filled;
}
