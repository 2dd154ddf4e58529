import type { SafeTensor } from '@palimpsest/base';
import type { BundleName, KakeyaConfig } from '../config.js';
import { expect, KakeyaError } from '../errors.js';
import { handleOf, type KakeyaHandle } from '../registry/kakeya-handle.js';
import type { MemorySample } from '../registry/memory-samples.js';
import type { BundleAxes, MapOrigin, OrientedMap, SetsBuild } from '../registry/registry-build.js';
import type { RoutingEntry } from '../registry/routing.js';
import type { Slice } from '../set/field-scaling.js';
import { KakeyaSet, type SetBuildReport } from '../set/kakeya-set.js';
import {
  decodeKakeyaFile,
  encodeKakeyaFile,
  fromFile,
  storedMatrix,
  storedVector,
  TensorReader,
} from './kakeya-file.js';
import { pieces, readRecords, writeRecords } from './record-file.js';
import { savedRegistry } from './saved-shapes.js';
import { readSet, type SetHeader, writeSet } from './set-file.js';

/** Everything a registry is. */
export interface RegistrySnapshot {
  readonly config: KakeyaConfig;
  readonly routing: readonly RoutingEntry[];
  readonly axes: BundleAxes | null;
  readonly epoch: number;
  readonly builtAt: number;
  readonly encoded: number;
  readonly means: readonly (number | null)[];
  readonly skipped: readonly number[];
  readonly unrouted: readonly string[];
  readonly current: SetsBuild | null;
  readonly retired: ReadonlyMap<number, SetsBuild>;
  readonly samples: readonly MemorySample[];
  readonly position: { seen: number; random: number[] };
}

interface BuildHeader {
  readonly sets: readonly (SetHeader | null)[];
  readonly offsets: readonly (Readonly<Record<string, Slice>> | null)[];
  readonly reports: readonly (SetBuildReport | null)[];
  readonly maps: readonly { readonly key: string; readonly origin: MapOrigin }[];
}

interface RegistryJson extends Omit<RegistrySnapshot, 'axes' | 'current' | 'retired' | 'samples'> {
  readonly hasAxes: boolean;
  readonly current: BuildHeader | null;
  readonly retired: readonly (readonly [number, BuildHeader])[];
  /** Field and bundle names of every reservoir sample, with their widths. */
  readonly samples: readonly { fields: [string, number][]; base: [BundleName, number][] }[];
  /** Records of every saved handle. */
  readonly handleSizes: readonly number[];
}

/** A registry and handles as one file. */
export function registryBytes(snapshot: RegistrySnapshot, handles: readonly KakeyaHandle[]): Uint8Array {
  const { axes, current, retired, samples, ...plain } = snapshot;
  const records = handles.map((handle) => handle.records());
  const tensors: Record<string, SafeTensor> = {
    ...writeRecords(records.flat(), 'records/'),
    samples: storedVector(
      samples.flatMap((s) => [...Object.values(s.fields), ...Object.values(s.base)].flatMap((v) => [...v])),
    ),
  };
  if (axes !== null) {
    for (const [name, axis] of Object.entries(axes)) tensors[`axes/${name}`] = storedVector(axis, 'F64');
  }
  const json: RegistryJson = {
    ...plain,
    hasAxes: axes !== null,
    current: current === null ? null : writeBuild(current, 'current/', tensors),
    retired: [...retired].map(([epoch, build]) => [epoch, writeBuild(build, `retired${epoch}/`, tensors)]),
    samples: samples.map(({ fields, base }) => ({
      fields: Object.entries(fields).map(([name, v]) => [name, v.length]),
      base: Object.entries(base).map(([name, v]) => [name as BundleName, v.length]),
    })),
    handleSizes: records.map((list) => list.length),
  };
  return encodeKakeyaFile({ kind: 'registry', json, tensors });
}

function writeBuild(build: SetsBuild, prefix: string, tensors: Record<string, SafeTensor>): BuildHeader {
  const sets = build.sets.map((set, setIdx) => {
    const written = writeSet(set, `${prefix}set${setIdx}/`);
    Object.assign(tensors, written.tensors);
    return written.header;
  });
  const maps = [...build.maps].map(([key, { map, origin }]) => {
    tensors[`${prefix}baseToField/${key}`] = storedMatrix(map);
    return { key, origin };
  });
  return { sets, offsets: build.offsets, reports: build.reports, maps };
}

/** Inverse of {@link registryBytes}. Throws, naming the source, on a torn or foreign file. */
export function readRegistry(
  bytes: Uint8Array,
  source: string,
): { snapshot: RegistrySnapshot; handles: KakeyaHandle[] } {
  const { json, tensors } = decodeKakeyaFile<RegistryJson>(bytes, 'registry', source, savedRegistry);
  return fromFile(source, () => registryFrom(json, new TensorReader(tensors, source)));
}

function registryFrom(
  json: RegistryJson,
  reader: TensorReader,
): { snapshot: RegistrySnapshot; handles: KakeyaHandle[] } {
  const axis = (name: BundleName) => reader.doubles(`axes/${name}`);
  const snapshot: RegistrySnapshot = {
    ...json,
    axes: json.hasAxes ? { time: axis('time'), topic: axis('topic'), ctx: axis('ctx') } : null,
    current: json.current === null ? null : readBuild(json.current, 'current/', reader, json),
    retired: new Map(
      json.retired.map(([epoch, header]) => [epoch, readBuild(header, `retired${epoch}/`, reader, json)]),
    ),
    samples: readSamples(json.samples, reader.floats('samples')),
  };
  const perHandle = sizedLists(readRecords(reader, 'records/'), json.handleSizes);
  return {
    snapshot,
    handles: perHandle.map((records) => handleOf(records, (setIdx) => routeOf(json, setIdx).fields)),
  };
}

function routeOf({ routing }: RegistryJson, setIdx: number): RoutingEntry {
  const entry = routing[setIdx];
  if (entry === undefined) throw new KakeyaError(`'routing' has no set ${setIdx}.`);
  return entry;
}

function readBuild(header: BuildHeader, prefix: string, reader: TensorReader, json: RegistryJson): SetsBuild {
  const sets = header.sets.map((saved, setIdx) => {
    const { owner, fields } = routeOf(json, setIdx);
    const set = new KakeyaSet(setIdx, owner, fields, json.config);
    if (saved !== null) set.restore(readSet(saved, reader, `${prefix}set${setIdx}/`, json.config));
    return set;
  });
  const maps = new Map<string, OrientedMap>(
    header.maps.map(({ key, origin }) => [
      key,
      { map: reader.matrix(`${prefix}baseToField/${key}`), origin },
    ]),
  );
  return { sets, maps, offsets: header.offsets, reports: header.reports };
}

function readSamples(shapes: RegistryJson['samples'], data: Float32Array): MemorySample[] {
  const widths = shapes.flatMap(({ fields, base }) => [...fields, ...base].map(([, width]) => width));
  const parts = pieces(data, Int32Array.from(widths)).values();
  const named = (names: readonly (readonly [string, number])[]) =>
    Object.fromEntries(names.map(([name]) => [name, parts.next().value!]));
  return shapes.map(({ fields, base }) => ({ fields: named(fields), base: named(base) }));
}

function sizedLists<T>(items: readonly T[], sizes: readonly number[]): T[][] {
  const total = sizes.reduce((sum, size) => sum + size, 0);
  expect(
    total === items.length,
    () => `'handleSizes' count ${total} records, but there are ${items.length}.`,
  );
  let at = 0;
  return sizes.map((size) => {
    at += size;
    return items.slice(at - size, at);
  });
}
