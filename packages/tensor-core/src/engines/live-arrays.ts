import type { DeviceArray } from '../device-array.js';
import type { EngineMemory } from '../engine.js';

let lastEngineId = 0;

/** Engines are numbered, so that an array given to the wrong engine is noticed. */
export function nextEngineId(): number {
  lastEngineId += 1;
  return lastEngineId;
}

/** Counts the device arrays of an engine that are alive. */
export class LiveArrays {
  readonly #arrays = new Set<DeviceArray>();
  #bytes = 0;

  add(array: DeviceArray): DeviceArray {
    this.#arrays.add(array);
    this.#bytes += array.byteLength;
    return array;
  }

  remove(array: DeviceArray): void {
    if (this.#arrays.delete(array)) this.#bytes -= array.byteLength;
  }

  memory(): Pick<EngineMemory, 'arrays' | 'bytes'> {
    return { arrays: this.#arrays.size, bytes: this.#bytes };
  }

  disposeAll(): void {
    for (const array of [...this.#arrays]) array.dispose();
  }
}
