import type { FloatArray } from '../linalg/matrix.js';
import type { KakeyaHandle } from './kakeya-handle.js';
import type { KakeyaRegistry } from './kakeya-registry.js';

/** The registry behind the two verbs that a memory store needs. */
export class KakeyaCodecV4 {
  readonly #registry: KakeyaRegistry;

  constructor(registry: KakeyaRegistry) {
    this.#registry = registry;
  }

  encode(fields: Readonly<Record<string, FloatArray>>): KakeyaHandle {
    return this.#registry.encodeMemoryFields(fields);
  }

  decode(handle: KakeyaHandle, field: string): Float32Array | null {
    return this.#registry.decodeField(handle, field);
  }

  /** Active sets. */
  get nSets(): number {
    return this.#registry.sets.filter((set) => set.isActive).length;
  }
}
