import { InputError, type NDArray, sizeOf, treeToRecord } from '@palimpsest/base';
import type { TransformerConfig } from '../config.js';
import { makeParameters } from '../parameters.js';
import { TensorReader, widen } from './convert-tensor.js';
import type { LoadProgress, WeightPlan } from './load-weights.js';
import type { WeightSource } from './weight-files.js';

/** A parameter in the 16-bit format of its file. */
export interface HalfArray {
  readonly format: 'F16' | 'BF16';
  readonly shape: readonly number[];
  readonly bits: Uint16Array;
  /** Added to every value. Default 0. */
  readonly plus?: number | undefined;
}

/** All weights of a model by path, as `blocks.0.up.weight`, in half the memory of float32. */
export class HalfWeights {
  constructor(readonly arrays: ReadonlyMap<string, HalfArray>) {}

  /** Bytes of all weights. */
  get bytes(): number {
    return [...this.arrays.values()].reduce((total, { bits }) => total + bits.byteLength, 0);
  }

  /** @throws InputError naming the file and key of a weight that is not stored in 16 bits. */
  static async load(
    config: TransformerConfig,
    plan: WeightPlan,
    files: WeightSource,
    onProgress?: (progress: LoadProgress) => void,
  ): Promise<HalfWeights> {
    const shapes = treeToRecord<{ readonly shape: readonly number[] }>(
      makeParameters(config, (shape) => ({ shape, dtype: 'float32' })),
    );
    const arrays = new Map<string, HalfArray>();
    const reader = new TensorReader();
    for (const [index, entry] of plan.entries.entries()) {
      const tensor = files.tensors.get(entry.key)!;
      const format = tensor.dtype;
      const known = arrays.get(entry.path);
      if ((format !== 'F16' && format !== 'BF16') || (known && known.format !== format)) {
        throw new InputError(
          `${tensor.file}: '${entry.key}' has dtype ${format}, but 16-bit storage keeps ${known?.format ?? 'F16 or BF16'} as it is; load the folder as float32.`,
        );
      }
      const { shape } = shapes[entry.path]!;
      const array = known ?? { format, shape, bits: new Uint16Array(sizeOf(shape)), plus: entry.plus };
      arrays.set(entry.path, array);
      await reader.readBitsInto(tensor, entry, array.bits);
      onProgress?.({ done: index + 1, total: plan.entries.length, key: entry.key });
    }
    return new HalfWeights(arrays);
  }

  has(path: string): boolean {
    return this.arrays.has(path);
  }

  shapeOf(path: string): readonly number[] {
    return this.arrays.get(path)!.shape;
  }

  /** Writes rows `from`, … of a parameter into a float32 array as large as they are. */
  widenRows(path: string, from: number, into: Float32Array): void {
    const { format, shape, bits, plus } = this.arrays.get(path)!;
    const start = from * sizeOf(shape.slice(1));
    widen(format, bits.subarray(start, start + into.length), into);
    if (plus !== undefined) for (let i = 0; i < into.length; i++) into[i]! += plus;
  }

  /** Fills a tree of float32 arrays with the parameters whose paths begin with a prefix. */
  widenTree(prefix: string, into: unknown): void {
    for (const [path, { data }] of Object.entries(treeToRecord<NDArray>(into))) {
      this.widenRows(`${prefix}${path}`, 0, data as Float32Array);
    }
  }
}
