import { COORDINATES } from './entry.js';

/** A raw array that should have been compressed: where it is on the entry, and its shape. */
export interface LargeField {
  readonly path: string;
  readonly shape: readonly number[];
}

/** Fields that are lists by nature and may be long. */
const EXEMPT = new Set<string>([...COORDINATES, 'contentTokenIds', 'rareKeywordIds']);

/**
 * Raw arrays of at least `leastSize` numbers on an entry, wherever they hide.
 * @param strict false looks as the original does: at own properties only, and only where the last axis is that long.
 */
export function largeFields(entry: object, leastSize: number, strict: boolean): LargeField[] {
  const found: LargeField[] = [];
  const seen = new Set<object>();
  const visit = (value: unknown, path: string, level: number): void => {
    if (typeof value !== 'object' || value === null || seen.has(value)) return;
    seen.add(value);
    const shape = shapeOf(value);
    if (shape) {
      const size = shape.reduce((product, extent) => product * extent, 1);
      if (size >= leastSize && (strict || (shape.at(-1) ?? 0) >= leastSize)) found.push({ path, shape });
      return;
    }
    if (!strict && level > 0) return;
    for (const [key, child] of childrenOf(value))
      visit(child, path === '' ? key : `${path}.${key}`, level + 1);
  };
  for (const [key, value] of Object.entries(entry)) {
    if (!EXEMPT.has(key)) visit(value, key, 1);
  }
  return found;
}

function childrenOf(value: object): [string, unknown][] {
  if (value instanceof Map) return [...value].map(([key, child]) => [String(key), child]);
  if (value instanceof Set) return [...value].map((child, index) => [String(index), child]);
  return Object.entries(value);
}

/** Shape of an array of numbers in any of its forms, or nothing for a container of other things. */
function shapeOf(value: object): readonly number[] | undefined {
  if (ArrayBuffer.isView(value)) {
    return value instanceof DataView ? [value.byteLength] : [(value as Float32Array).length];
  }
  if ('shape' in value && 'dtype' in value && Array.isArray(value.shape)) return value.shape as number[];
  if (!Array.isArray(value) || value.length === 0) return undefined;
  if (value.every((element) => typeof element === 'number')) return [value.length];
  const rows = value.map((row) => (Array.isArray(row) ? shapeOf(row) : undefined));
  const first = rows[0];
  const regular = first !== undefined && rows.every((row) => row?.join() === first.join());
  return regular ? [value.length, ...first] : undefined;
}
