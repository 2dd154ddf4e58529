import { fnv1a, hex32 } from '@palimpsest/base';
import { decodeSafetensors, encodeSafetensors, InputError, type SafeTensor } from '@palimpsest/tensor-core';
import type { SavedGraphs } from './direction-indexes.js';
import { COORDINATES, type CoordinateName, coordinateSize, type EntrySizes, type MemEntry } from './entry.js';
import { graphsOf, graphTensors } from './graph-tensors.js';
import { unpackValue, ValuePacker } from './plain-values.js';

export const STORE_FORMAT = 'palimpsest-memstore';
const VERSION = '1';

/** Turns handles into plain values (objects, arrays, typed arrays, numbers, texts) and back. */
export interface HandleCodec<Handle> {
  toPlain(handle: Handle): unknown;
  fromPlain(plain: unknown): Handle;
}

/** What a file holds. */
export interface StoreContents {
  readonly config: Readonly<Record<string, unknown>>;
  readonly nextMid: number;
  readonly entries: readonly Record<string, unknown>[];
  readonly graphs: SavedGraphs;
}

/** A safetensors file: coordinates as matrices, links of graphs, everything else as JSON, with a checksum over all of it. */
export function encodeStore<Handle>(
  contents: { config: object; nextMid: number; entries: readonly MemEntry<Handle>[]; graphs: SavedGraphs },
  sizes: EntrySizes,
  codec?: HandleCodec<Handle>,
): Uint8Array {
  const { config, nextMid, entries, graphs } = contents;
  const packer = new ValuePacker();
  const rest = entries.map((entry) => {
    const fields = Object.fromEntries(
      Object.entries(entry).filter(([key]) => !COORDINATES.includes(key as CoordinateName)),
    );
    if (codec && entry.kakeyaHandle !== undefined) fields.kakeyaHandle = codec.toPlain(entry.kakeyaHandle);
    return packer.pack(fields, `entry ${entry.mid}`);
  });
  const tensors = graphTensors(graphs);
  for (const name of COORDINATES) {
    const width = coordinateSize(name, sizes);
    const data = new Float32Array(entries.length * width);
    entries.forEach((entry, row) => {
      checkWidth(entry, name, width);
      data.set(entry[name], row * width);
    });
    tensors[name] = { dtype: 'F32', shape: [entries.length, width], data };
  }
  const json = new TextEncoder().encode(JSON.stringify({ config, nextMid, entries: rest }));
  const packed = packer.bytes();
  tensors['entries.json'] = { dtype: 'U8', shape: [json.length], data: json };
  tensors['entries.bytes'] = { dtype: 'U8', shape: [packed.length], data: packed };
  const metadata = { format: STORE_FORMAT, version: VERSION, checksum: checksum(tensors) };
  return encodeSafetensors(tensors, metadata);
}

function checkWidth(entry: MemEntry, name: CoordinateName, width: number): void {
  if (entry[name].length === width) return;
  throw new InputError(
    `Entry ${entry.mid} cannot be saved: '${name}' has ${entry[name].length} numbers instead of ${width}.`,
  );
}

/**
 * @param source where the bytes come from, for messages.
 * @throws InputError naming the source when it is torn, altered, of another kind or of a newer version.
 */
export function decodeStore(bytes: Uint8Array, source: string): StoreContents {
  const { tensors, metadata } = decodeSafetensors(bytes, source);
  if (metadata.format !== STORE_FORMAT) {
    throw new InputError(`${source} is no memory store: its format is '${metadata.format ?? 'unknown'}'.`);
  }
  if (metadata.version !== VERSION) {
    throw new InputError(
      `${source} has format version ${metadata.version}, but this program reads version ${VERSION}; use a newer one.`,
    );
  }
  const record = Object.fromEntries(tensors);
  if (checksum(record) !== metadata.checksum) {
    throw new InputError(`${source} was altered or damaged: its checksum does not match.`);
  }
  const { config, nextMid, entries } = parseContents(bytesOf(record, 'entries.json', source), source);
  const packed = bytesOf(record, 'entries.bytes', source);
  const coordinates = COORDINATES.map(
    (name) => [name, rowsOf(record, name, entries.length, source)] as const,
  );
  return {
    config,
    nextMid,
    graphs: graphsOf(record, source),
    entries: entries.map((fields, row) => {
      const entry = unpackEntry(fields, packed, `${source}: 'entries.json': entry number ${row}`);
      for (const [name, { data, width }] of coordinates) {
        entry[name] = data.slice(row * width, (row + 1) * width);
      }
      return entry;
    }),
  };
}

function bytesOf(record: Readonly<Record<string, SafeTensor>>, name: string, source: string): Uint8Array {
  const data = record[name]?.data;
  if (data instanceof Uint8Array) return data;
  throw new InputError(`${source} is damaged: '${name}' is ${data ? 'no list of bytes' : 'missing'}.`);
}

function rowsOf(
  record: Readonly<Record<string, SafeTensor>>,
  name: string,
  rows: number,
  source: string,
): { data: Float32Array; width: number } {
  const tensor = record[name];
  if (!tensor) throw new InputError(`${source} is damaged: '${name}' is missing.`);
  const { data, shape } = tensor;
  if (data instanceof Float32Array && shape.length === 2 && shape[0] === rows)
    return { data, width: shape[1]! };
  throw new InputError(
    `${source} is damaged: '${name}' of dtype ${tensor.dtype} and shape [${shape.join(', ')}] is no F32 matrix with a row for each of the ${rows} entries.`,
  );
}

/** @throws InputError naming the source and the member that is not what a store holds. */
function parseContents(json: Uint8Array, source: string): Omit<StoreContents, 'graphs'> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(json));
  } catch {
    throw new InputError(`${source} is damaged: 'entries.json' is not JSON.`);
  }
  const { config, nextMid, entries } = (parsed ?? {}) as Record<string, unknown>;
  const refuse = (member: string, wanted: string, value: unknown) => {
    const text = JSON.stringify(value)?.slice(0, 40) ?? 'missing';
    return new InputError(
      `${source} is damaged: '${member}' in 'entries.json' must be ${wanted}, but is ${text}.`,
    );
  };
  if (!isObject(config)) throw refuse('config', 'an object', config);
  if (!(Number.isSafeInteger(nextMid) && (nextMid as number) >= 0)) {
    throw refuse('nextMid', 'a whole number of at least 0', nextMid);
  }
  if (!Array.isArray(entries)) throw refuse('entries', 'a list', entries);
  const broken = entries.findIndex((entry) => !isObject(entry));
  if (broken >= 0) throw refuse(`entries.${broken}`, 'an object', entries[broken]);
  return { config, nextMid: nextMid as number, entries };
}

function unpackEntry(fields: unknown, packed: Uint8Array, place: string): Record<string, unknown> {
  try {
    return unpackValue(fields, packed) as Record<string, unknown>;
  } catch (error) {
    throw new InputError(`${place}: ${(error as Error).message}`);
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** FNV-1a over names, shapes and bytes, as eight hexadecimal digits. */
export function checksum(tensors: Readonly<Record<string, SafeTensor>>): string {
  let hash = fnv1a('');
  for (const name of Object.keys(tensors).sort()) {
    const { data, shape } = tensors[name]!;
    hash = fnv1a(data, fnv1a(`${name}[${shape.join()}]`, hash));
  }
  return hex32(hash);
}
