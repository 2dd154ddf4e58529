import {
  bytesOf,
  type DType,
  formatShape,
  InputError,
  type NDArray,
  sizeOf,
  type TypedArray,
} from '@palimpsest/base';

const ARRAY_OF = { float32: Float32Array, int32: Int32Array, bool: Uint8Array } as const;

/** What an engine keeps behind a device array. */
export interface DeviceStorage {
  read(): Promise<TypedArray>;
  /** Copies the values into memory that is there; without it they are read first. */
  copyTo?(target: TypedArray): Promise<void>;
  release(): void;
}

/**
 * An array held by an engine: host memory for ONNX Runtime on CPU, a GPU buffer, or a TensorFlow.js tensor.
 * It lives until `dispose()`, or until it is given to a compiled function that donates it.
 */
export class DeviceArray {
  readonly shape: readonly number[];
  readonly dtype: DType;
  readonly engineId: number;
  #storage: DeviceStorage | undefined;

  constructor(shape: readonly number[], dtype: DType, engineId: number, storage: DeviceStorage) {
    this.shape = shape;
    this.dtype = dtype;
    this.engineId = engineId;
    this.#storage = storage;
  }

  get size(): number {
    return sizeOf(this.shape);
  }

  get byteLength(): number {
    return bytesOf(this.shape, this.dtype);
  }

  get isDisposed(): boolean {
    return this.#storage === undefined;
  }

  /** The engine's own handle. @throws InputError after `dispose()` or donation. */
  storage(): DeviceStorage {
    if (this.#storage === undefined) {
      throw new InputError(
        `This array of shape ${formatShape(this.shape)} was disposed or donated to an earlier call; keep the result of that call instead.`,
      );
    }
    return this.#storage;
  }

  /** Copies the values to the host. */
  async data(): Promise<TypedArray> {
    return this.storage().read();
  }

  /**
   * Copies the values into an array that is there, so that a loop takes no new memory.
   * @throws InputError for another type or number of values.
   */
  async copyTo(target: TypedArray): Promise<void> {
    const fits = target.length === this.size && target instanceof ARRAY_OF[this.dtype];
    if (!fits) {
      throw new InputError(
        `${this.size} values of ${this.dtype} do not fit into a ${target.constructor.name} of ${target.length}.`,
      );
    }
    const storage = this.storage();
    if (storage.copyTo) await storage.copyTo(target);
    else target.set(await storage.read());
  }

  /** Copies the array to the host. */
  async toHost(): Promise<NDArray> {
    return { data: await this.data(), shape: this.shape, dtype: this.dtype } as NDArray;
  }

  /** The only value of an array with one element. */
  async item(): Promise<number> {
    if (this.size !== 1) {
      throw new InputError(
        `item() needs an array with one element, but this one has shape ${formatShape(this.shape)}.`,
      );
    }
    return (await this.data())[0]!;
  }

  /** Gives the memory back; a second call does nothing. */
  dispose(): void {
    this.#storage?.release();
    this.#storage = undefined;
  }

  /** Takes the storage away without releasing it, for donation. */
  surrender(): DeviceStorage {
    const storage = this.storage();
    this.#storage = undefined;
    return storage;
  }
}
