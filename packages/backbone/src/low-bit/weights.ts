import { type Engine, QuantisedMatrix } from '@palimpsest/tensor-core';
import { cacheBytesPerToken, slotsOf } from '../cache.js';
import type { TransformerConfig } from '../config.js';
import type { FrozenMatrices } from '../frozen-transformer.js';
import { BLOCK, GROUP, hasLowBitKernels, LowBitKernels, type LowBitMatrix, matrixRoom } from './kernels.js';

/** Rows of a matrix that are read from its file at once. */
const PIECE = 16 * GROUP;
/** Bytes that addresses reach, less what scratch takes. */
const MOST_BYTES = 3.75 * 2 ** 30;

/**
 * Whether a model is decoded by kernels of its own in place of a graph: Llama's shape, weights of 8 or 4 bits whose products these
 * kernels have, and a memory that holds them beside one text.
 */
export function fitsLowBits(engine: Engine, config: TransformerConfig, matrices: FrozenMatrices): boolean {
  const isHere = engine.name === 'onnx' && engine.describe().device === 'cpu';
  const all = [...matrices.values()];
  return (
    isHere &&
    isLlama(config) &&
    all.every((matrix) => matrix instanceof QuantisedMatrix && hasLowBitKernels(matrix.bits)) &&
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

const roomOf = (matrices: FrozenMatrices): number =>
  [...matrices.values()].reduce(
    (total, { outputs, inputs, ...matrix }) =>
      total + ('bits' in matrix ? 4 * matrixRoom(outputs, inputs, matrix.bits) : 0),
    0,
  );

/** Matrices in the kernels' memory, for all decoders of a model; the last one that goes takes them along. */
export class LowBitMatrices {
  static readonly #made = new WeakMap<FrozenMatrices, Map<number, LowBitMatrices>>();

  readonly kernels: LowBitKernels;
  readonly #places = new Map<string, LowBitMatrix>();
  #users = 0;

  private constructor(
    private readonly given: FrozenMatrices,
    threads: number,
  ) {
    const widest = Math.max(...[...given.values()].map(({ inputs }) => inputs));
    this.kernels = new LowBitKernels(threads, widest);
    for (const [path, matrix] of given) {
      if (matrix instanceof QuantisedMatrix) this.#places.set(path, this.#place(matrix));
    }
  }

  /** The matrices of a model, placed by the first who asks. */
  static of(matrices: FrozenMatrices, threads: number): LowBitMatrices {
    const made = LowBitMatrices.#made.get(matrices) ?? new Map<number, LowBitMatrices>();
    LowBitMatrices.#made.set(matrices, made);
    const own = made.get(threads) ?? new LowBitMatrices(matrices, threads);
    made.set(threads, own);
    own.#users += 1;
    return own;
  }

  at(path: string): LowBitMatrix {
    return this.#places.get(path)!;
  }

  release(): void {
    this.#users -= 1;
    if (this.#users > 0) return;
    LowBitMatrices.#made.get(this.given)!.delete(this.kernels.threads);
    this.kernels.dispose();
  }

  #place(matrix: QuantisedMatrix): LowBitMatrix {
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
