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
  if (problem && name.endsWith('Dirn')) {
    checkedVector(value, coordinateSize(name, sizes), `'${name}' of a memory entry`, false);
  }
  return new Float32Array(value);
}

const NUMBERS = ['surprise', 'ts', 'last', 'cnt', 'version'] as const;

/** Checks of the fields that every entry has, with what each expects. */
const PLAIN: readonly [names: readonly string[], wanted: string, fits: (value: unknown) => boolean][] = [
  [NUMBERS, 'a finite number', (value) => typeof value === 'number' && Number.isFinite(value)],
  [['sourceText'], 'a text', (value) => typeof value === 'string'],
  [
    ['contentTokenIds', 'rareKeywordIds'],
    'a list of integers',
    (value) => Array.isArray(value) && value.every((id) => Number.isInteger(id)),
  ],
];

/**
 * @throws InputError for a number, text or list of the wrong type, `undefined` and NaN included, and for a NaN in fields
 *   of the caller's own.
 */
export function checkPlainFields(fields: Readonly<Record<string, unknown>>): void {
  for (const [names, wanted, fits] of PLAIN) {
    for (const name of names.filter((each) => each in fields && !fits(fields[each]))) {
      throw new InputError(
        `A memory entry is not valid: '${name}' must be ${wanted}, but is ${shown(fields[name])}; leave it out for its default.`,
      );
    }
  }
  for (const [name, value] of Object.entries(fields)) checkNotNaN(value, name);
  checkErrors(fields.reconstructionErrors);
}

/** Text of a value for a message. */
const shown = (value: unknown): string =>
  typeof value === 'object' && value !== null
    ? (JSON.stringify(value)?.slice(0, 40) ?? 'an object')
    : String(value);

function checkNotNaN(value: unknown, path: string): void {
  if (typeof value === 'number' && Number.isNaN(value)) {
    throw new InputError(`A memory entry is not valid: '${path}' is NaN, which is no value.`);
  }
}

function checkErrors(errors: unknown): void {
  if (errors === undefined) return;
  if (typeof errors !== 'object' || errors === null || Array.isArray(errors)) {
    throw new InputError(
      `A memory entry is not valid: 'reconstructionErrors' must map fields to numbers, but is ${shown(errors)}.`,
    );
  }
  for (const [field, error] of Object.entries(errors)) {
    if (typeof error === 'number' && error >= 0) continue;
    throw new InputError(
      `A memory entry is not valid: 'reconstructionErrors.${field}' must be a number of at least 0, but is ${shown(error)}.`,
    );
  }
}
