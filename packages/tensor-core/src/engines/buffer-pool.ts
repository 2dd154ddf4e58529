import { allocate, type DType, type TypedArray } from '@palimpsest/base';

const MAX_IDLE_BYTES = 512 * 2 ** 20;
const MAX_IDLE_PER_KIND = 64;

/**
 * Memory given back by donated and disposed arrays, handed out again as the outputs of later calls, so that a training
 * loop allocates nothing after its first steps.
 */
export class BufferPool {
  readonly #idle = new Map<string, TypedArray[]>();
  #idleBytes = 0;

  /** An array of the kind, with arbitrary contents. */
  take(dtype: DType, size: number): TypedArray {
    const buffer = this.#idle.get(`${dtype}${size}`)?.pop();
    if (!buffer) return allocate(dtype, size);
    this.#idleBytes -= buffer.byteLength;
    return buffer;
  }

  /** An array of one repeated number. Fresh memory is zeros already, which the system hands out when they are touched. */
  filled(dtype: DType, size: number, value: number): TypedArray {
    const buffer =
      value === 0 && !this.#idle.get(`${dtype}${size}`)?.length ? undefined : this.take(dtype, size);
    return buffer?.fill(value) ?? allocate(dtype, size);
  }

  /** Takes memory back; nobody may use it afterwards. */
  give(dtype: DType, buffer: TypedArray): void {
    // What threads share belongs to who made it.
    if (!(buffer.buffer instanceof ArrayBuffer)) return;
    if (this.#idleBytes + buffer.byteLength > MAX_IDLE_BYTES) return;
    const key = `${dtype}${buffer.length}`;
    const list = this.#idle.get(key) ?? [];
    if (list.length >= MAX_IDLE_PER_KIND) return;
    list.push(buffer);
    this.#idle.set(key, list);
    this.#idleBytes += buffer.byteLength;
  }

  clear(): void {
    this.#idle.clear();
    this.#idleBytes = 0;
  }
}
