import { InputError } from '@palimpsest/tensor-core';
import type { BundleName } from '../bundle.js';
import { checkedVector } from '../indexes/vector-index.js';

export const BUNDLES: readonly BundleName[] = ['time', 'topic', 'ctx'];
export type CoordinateName = `${BundleName}${'Base' | 'Fiber' | 'Dirn'}`;
export const COORDINATES: readonly CoordinateName[] = BUNDLES.flatMap((bundle): CoordinateName[] => [
  `${bundle}Base`,
  `${bundle}Fiber`,
  `${bundle}Dirn`,
]);

/** One memory: a base point, a fiber and a unit direction in each of the three bundles, and what belongs to it. */
export interface MemEntry<Handle = unknown> extends Record<CoordinateName, Float32Array> {
  readonly mid: number;
  surprise: number;
  /** Time of writing. */
  ts: number;
  /** Time of the last use. */
  last: number;
  /** Number of uses. */
  cnt: number;
  /** Number of updates. */
  version: number;
  sourceText: string;
  contentTokenIds: number[];
  rareKeywordIds: number[];
  /** Compressed large fields: field name to compressed vectors, as the codec defines them. */
  kakeyaHandle?: Handle | undefined;
  /** Relative reconstruction error per compressed field, if the writer recorded it. */
  reconstructionErrors?: Readonly<Record<string, number>> | undefined;
  [extra: string]: unknown;
}

/** What `add` takes: coordinates as any number lists; everything that is no coordinate has a default. */
export type NewEntry<Handle = unknown> = Record<CoordinateName, ArrayLike<number>> &
  Partial<Omit<MemEntry<Handle>, 'mid' | CoordinateName>>;

/** Sizes of the three bundles. */
export interface EntrySizes {
  readonly dTime: number;
  readonly dTopic: number;
  readonly dCtx: number;
  readonly dFTime: number;
  readonly dFTopic: number;
  readonly dFCtx: number;
}

/** How far the length of a direction may be from 1. */
export const UNIT_TOLERANCE = 1e-4;

const suffix = { time: 'Time', topic: 'Topic', ctx: 'Ctx' } as const;

/** The length that a coordinate must have. */
export function coordinateSize(name: CoordinateName, sizes: EntrySizes): number {
  const bundle = BUNDLES.find((candidate) => name.startsWith(candidate))!;
  return name.endsWith('Fiber') ? sizes[`dF${suffix[bundle]}`] : sizes[`d${suffix[bundle]}`];
}

/** What is wrong with a coordinate, or nothing. */
export function coordinateProblem(
  value: unknown,
  name: CoordinateName,
  sizes: EntrySizes,
): string | undefined {
  if (!isNumberList(value)) return `'${name}' is not a list of numbers`;
  const size = coordinateSize(name, sizes);
  if (value.length !== size) return `'${name}' has ${value.length} numbers instead of ${size}`;
  let squared = 0;
  for (let i = 0; i < size; i++) {
    if (!Number.isFinite(value[i])) return `'${name}' holds ${value[i]} at position ${i}`;
    squared += value[i]! ** 2;
  }
  const norm = Math.sqrt(squared);
  if (name.endsWith('Dirn') && Math.abs(norm - 1) > UNIT_TOLERANCE) {
    return `'${name}' has length ${norm.toPrecision(6)} instead of 1`;
  }
  return undefined;
}

function isNumberList(value: unknown): value is ArrayLike<number> {
  if (ArrayBuffer.isView(value) && !(value instanceof DataView)) return true;
  return Array.isArray(value) && value.every((element) => typeof element === 'number');
}

/**
 * Checks a coordinate and copies it.
 * @param strict false lets a base or fiber of any length pass; directions are always checked, as the index needs them.
 * @throws InputError naming the coordinate and what is wrong with it.
 */
export function checkedCoordinate(
  value: unknown,
  name: CoordinateName,
  sizes: EntrySizes,
  strict: boolean,
): Float32Array {
  const problem = coordinateProblem(value, name, sizes);
  if (problem && strict) throw new InputError(`A memory entry is not valid: ${problem}.`);
  if (!isNumberList(value)) throw new InputError(`A memory entry is not valid: ${problem}.`);
  if (name.endsWith('Dirn')) checkedVector(value, coordinateSize(name, sizes), `'${name}' of a memory entry`);
  return Float32Array.from(value);
}

const NUMBERS = ['surprise', 'ts', 'last', 'cnt', 'version'] as const;

/** @throws InputError for a number, text or list of the wrong type. */
export function checkPlainFields(fields: Readonly<Record<string, unknown>>): void {
  for (const name of NUMBERS) {
    const value = fields[name];
    if (value === undefined || (typeof value === 'number' && Number.isFinite(value))) continue;
    throw new InputError(
      `A memory entry is not valid: '${name}' must be a finite number, but is ${String(value)}.`,
    );
  }
  if (fields.sourceText !== undefined && typeof fields.sourceText !== 'string') {
    throw new InputError("A memory entry is not valid: 'sourceText' must be a text.");
  }
  for (const name of ['contentTokenIds', 'rareKeywordIds']) {
    const value = fields[name];
    if (value === undefined || (Array.isArray(value) && value.every((id) => Number.isInteger(id)))) continue;
    throw new InputError(`A memory entry is not valid: '${name}' must be a list of integers.`);
  }
}
