import type { DType, TypedArray } from '@palimpsest/base';
import { DeviceArray, type DeviceStorage } from '../device-array.js';
import type { BoundLeaf } from './arguments.js';
import { BufferPool } from './buffer-pool.js';
import { LiveArrays } from './live-arrays.js';
import type { OnnxRuntime, OnnxTensor } from './onnx-runtime.js';

interface OnnxStorage extends DeviceStorage {
  readonly tensor: OnnxTensor;
  /** Another array has taken the memory over. */
  moved?: boolean;
}

/** The device arrays of an engine over ONNX Runtime, and the memory they lie in. */
export class OnnxArrays {
  readonly live = new LiveArrays();
  readonly pool = new BufferPool();

  constructor(
    private readonly runtime: OnnxRuntime,
    private readonly engineId: number,
  ) {}

  disposeAll(): void {
    this.live.disposeAll();
    this.pool.clear();
  }

  tensor(dtype: DType, data: TypedArray, shape: readonly number[]): OnnxTensor {
    return new this.runtime.Tensor(dtype, data as never, shape);
  }

  /** A leaf as the runtime reads it. */
  feed({ value, dtype, shape }: BoundLeaf): OnnxTensor {
    return value instanceof DeviceArray ? storageOf(value).tensor : this.tensor(dtype, value.data, shape);
  }

  /** A device array over a tensor. */
  hold(tensor: OnnxTensor, dtype: DType, shape: readonly number[]): DeviceArray {
    const isHere = tensor.location === 'cpu';
    // Only one read may be under way, and the device's memory has to be given back after it.
    let reading: Promise<unknown> | undefined;
    const dispose = () => this.runtime.dispose(tensor);
    const values = async () => {
      reading ??= tensor.getData();
      return (await reading) as TypedArray;
    };
    const storage: OnnxStorage = {
      tensor,
      // A copy, because the memory is handed out again after the array is gone.
      read: async () => (await values()).slice() as TypedArray,
      copyTo: async (target) => target.set(await values()),
      release: () => {
        this.live.remove(array);
        if (storage.moved) return;
        if (isHere) this.pool.give(dtype, tensor.data as TypedArray);
        else if (reading) void reading.then(dispose, dispose);
        else dispose();
      },
    };
    const array: DeviceArray = new DeviceArray(shape, dtype, this.engineId, storage);
    return this.live.add(array);
  }

  /** The memory in which rows of a donated leaf are overwritten: its own, or a copy when it is not the engine's alone. */
  target(leaves: readonly BoundLeaf[], index: number, donated: ReadonlySet<number>): TypedArray {
    const own = takenOver(leaves, index, donated);
    if (own) {
      own.moved = true;
      return own.tensor.data as TypedArray;
    }
    const { value, dtype } = leaves[index]!;
    const data = value instanceof DeviceArray ? storageOf(value).tensor.data : value.data;
    const copy = this.pool.take(dtype, data.length);
    copy.set(data as never);
    return copy;
  }
}

const storageOf = (array: DeviceArray): OnnxStorage => array.storage() as OnnxStorage;

/** The memory of a donated leaf that an output may take over: nobody else is given the same array. */
export function takenOver(
  leaves: readonly BoundLeaf[],
  index: number,
  donated: ReadonlySet<number>,
): OnnxStorage | undefined {
  const { argument, value } = leaves[index]!;
  if (!donated.has(argument) || !(value instanceof DeviceArray)) return undefined;
  const storage = storageOf(value);
  return leaves.filter((leaf) => leaf.value === value).length === 1 ? storage : undefined;
}
