import { nodeModule } from '@palimpsest/base';
import type { ExternalPlace } from '../onnx/constants.js';
import type { StoredArray } from '../stored-array.js';

interface Place {
  readonly file: string;
  readonly offset: number;
  /** What the runtime wrote about the form that it gives to the array. */
  readonly notes?: Readonly<Record<string, string>> | undefined;
}

/** Where arrays in files lie for the runtime, which takes places within one folder: the root of all files. */
export class StoredPlaces {
  #root: string | undefined;
  readonly #moved = new WeakMap<StoredArray, Place>();
  readonly #locations = new Map<string, string | undefined>();

  /** That of the first file; what lies on another drive is given to the runtime with the graph. */
  get root(): string {
    return this.#root ?? '/';
  }

  /** The runtime shall read an array at another place from now on. */
  move(array: StoredArray, file: string, offset: number, notes: Readonly<Record<string, string>>): void {
    this.#moved.set(array, { file, offset, notes });
  }

  placeOf(array: StoredArray): ExternalPlace | undefined {
    const { file, offset, notes }: Place = this.#moved.get(array) ?? array;
    const location = this.#location(file);
    return location === undefined ? undefined : { location, offset, notes, isWritten: true };
  }

  /** The path behind the root, without links, which the runtime refuses; nothing for a file on another drive. */
  #location(file: string): string | undefined {
    if (this.#locations.has(file)) return this.#locations.get(file);
    const { parse, sep } = nodeModule('node:path');
    const path = nodeModule('node:fs').realpathSync(file);
    this.#root ??= parse(path).root;
    const isHere = parse(path).root === this.#root;
    const location = isHere ? path.slice(this.#root.length).split(sep).join('/') : undefined;
    this.#locations.set(file, location);
    return location;
  }
}
