import type { BundleName, KakeyaConfig } from '../config.js';
import { expect } from '../errors.js';
import { expectVector } from '../linalg/checks.js';
import { type FloatArray, type Matrix, matrix, rowOf } from '../linalg/matrix.js';
import { Random } from '../linalg/random.js';
import { ridgeMap } from '../linalg/ridge-map.js';
import { pushforward } from '../set/alignment.js';
import type { Slice } from '../set/field-scaling.js';
import { KakeyaSet, type SetBuildReport } from '../set/kakeya-set.js';
import { roundMatrixTo } from '../set/skeleton.js';
import { mapKey, type RoutingEntry } from './routing.js';

/** Unit axes of the three bundles: time [dTime], topic [dTopic], ctx [dCtx]. */
export type BundleAxes = Readonly<Record<BundleName, FloatArray>>;
/** Where a set's base-to-field map came from. */
export type MapOrigin = 'given' | 'ridge' | 'random';

/** A base-to-field map [dBase, D] and its origin. */
export interface OrientedMap {
  readonly map: Matrix;
  readonly origin: MapOrigin;
}

/** Rows of all fields of one routing entry side by side, and base coordinates of the same memories if known. */
export interface EntryRows {
  readonly rows: Matrix;
  readonly slices: readonly Slice[];
  readonly base?: Matrix;
}

export interface SetsBuild {
  readonly sets: readonly KakeyaSet[];
  readonly maps: ReadonlyMap<string, OrientedMap>;
  readonly offsets: readonly (Readonly<Record<string, Slice>> | null)[];
  readonly reports: readonly (SetBuildReport | null)[];
}

/** What a build needs besides the rows. */
export interface SetsBuildInput {
  readonly routing: readonly RoutingEntry[];
  readonly config: KakeyaConfig;
  readonly axes: BundleAxes;
  readonly epoch: number;
  /** Maps to use as they are, by `owner::field+field`. */
  readonly maps: ReadonlyMap<string, OrientedMap>;
  /** Rows of one entry, or null when a field is missing or there are too few. */
  rowsFor(entry: RoutingEntry): EntryRows | null;
}

/** Seed of the map of set i is i + 100, as in the reference (whose generator differs). */
const MAP_SEED = 100;

/** Builds every set of a routing without touching any state. Sets without rows keep their index and stay inactive. */
export function buildSets(input: SetsBuildInput): SetsBuild {
  checkAxes(input.axes, input.config);
  const maps = new Map<string, OrientedMap>();
  const offsets: (Record<string, Slice> | null)[] = [];
  const reports: (SetBuildReport | null)[] = [];
  const sets = input.routing.map((entry, setIdx) => {
    const set = new KakeyaSet(setIdx, entry.owner, entry.fields, input.config);
    const found = input.rowsFor(entry);
    if (found === null) {
      offsets.push(null);
      reports.push(null);
      return set;
    }
    const axis = input.axes[entry.owner];
    const key = mapKey(entry);
    const oriented =
      maps.get(key) ?? rounded(input.maps.get(key) ?? newMap(input.config, axis, found, setIdx, key));
    maps.set(key, oriented);
    expect(oriented.map.cols === found.rows.cols, () => {
      return `The base-to-field map ${key} has ${oriented.map.cols} columns where the fields have ${found.rows.cols}.`;
    });
    const { slices } = found;
    reports.push(set.build(found.rows, pushforward(axis, oriented.map), { slices, epoch: input.epoch }));
    offsets.push(Object.fromEntries(entry.fields.map((field, i) => [field, slices[i]!])));
    return set;
  });
  return { sets, maps, offsets, reports };
}

/** Maps are stored in float32, so a loaded registry must not build with other numbers than the live one. */
function rounded({ map, origin }: OrientedMap): OrientedMap {
  return { map: roundMatrixTo('f32', map), origin };
}

function checkAxes(axes: BundleAxes, config: KakeyaConfig): void {
  expectVector(axes.time, config.dTime, 'The time axis (option dTime)');
  expectVector(axes.topic, config.dTopic, 'The topic axis (option dTopic)');
  expectVector(axes.ctx, config.dCtx, 'The context axis (option dCtx)');
}

function newMap(
  config: KakeyaConfig,
  axis: FloatArray,
  found: EntryRows,
  setIdx: number,
  key: string,
): OrientedMap {
  expect(config.baseToField !== 'given', () => {
    return `The base-to-field map ${key} is missing; with baseToField "given" pass it in maps.`;
  });
  if (config.baseToField === 'ridge' && found.base !== undefined && found.base.rows >= 2) {
    return { map: ridgeMap(found.base, found.rows), origin: 'ridge' };
  }
  const draws = new Random(setIdx + MAP_SEED).normals(
    axis.length * found.rows.cols,
    1 / Math.sqrt(axis.length),
  );
  return { map: matrix(axis.length, found.rows.cols, draws), origin: 'random' };
}

/** Field matrices side by side, [N, sum of widths]; all must have N rows. */
export function concatenateFields(
  fields: readonly string[],
  corpus: Readonly<Record<string, Matrix>>,
): EntryRows {
  const parts = fields.map((field) => corpus[field]!);
  const n = parts[0]!.rows;
  const slices: Slice[] = [];
  let width = 0;
  parts.forEach((part, i) => {
    expect(part.rows === n, () => {
      return `Field ${fields[i]} has ${part.rows} rows where ${fields[0]} has ${n}; fields of one set need the same memories.`;
    });
    slices.push([width, width + part.cols]);
    width += part.cols;
  });
  const rows = matrix(n, width);
  parts.forEach((part, p) => {
    for (let i = 0; i < n; i++) rows.data.set(rowOf(part, i), i * width + slices[p]![0]);
  });
  return { rows, slices };
}
