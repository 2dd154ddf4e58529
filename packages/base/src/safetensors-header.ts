import { InputError } from './errors.js';
import { foreignCause } from './foreign-cause.js';
import { formatShape, sizeOf } from './ndarray.js';
import { bytesOfElements } from './safetensors-dtypes.js';

/** One entry of a file's header; offsets count from the end of the header. */
export interface SafeEntry {
  /** Any name: a tensor whose type cannot be read hurts nobody who does not ask for it. */
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

export interface SafeHeader {
  readonly entries: Map<string, SafeEntry>;
  readonly metadata: Readonly<Record<string, string>>;
  /** Offset of the first byte of data in the file. */
  readonly dataStart: number;
}

export const METADATA = '__metadata__';
/** Bytes of the header's length, which stand first. */
export const LENGTH_BYTES = 8;
/** The format's own limit, which keeps a foreign file from asking for all memory. */
const MAX_HEADER = 100 * 2 ** 20;

/**
 * Length of the JSON header that a file's first 8 bytes state.
 * @param firstBytes the first 8 bytes, or more of the file, from which a web page or a pointer is told apart.
 * @throws InputError when it cannot be true.
 */
export function headerLength(firstBytes: Uint8Array, fileSize: number, source: string): number {
  const cause = foreignCause(firstBytes);
  if (cause !== undefined) throw new InputError(`${source} ${cause}.`);
  if (firstBytes.length < LENGTH_BYTES) {
    throw new InputError(`${source} is not a safetensors file: it has only ${firstBytes.length} bytes.`);
  }
  const view = new DataView(firstBytes.buffer, firstBytes.byteOffset, LENGTH_BYTES);
  const length = Number(view.getBigUint64(0, true));
  if (length > MAX_HEADER || LENGTH_BYTES + length > fileSize) {
    throw new InputError(
      `${source} is not a safetensors file, or is cut off: its header would take ${length} bytes of a file of ${fileSize}.`,
    );
  }
  return length;
}

/**
 * Reads and checks the JSON header.
 * @param source name for messages, such as the file's path
 * @throws InputError naming the source and the key when an entry is foreign, torn, overlapping or of another size.
 */
export function parseHeader(json: Uint8Array, fileSize: number, source: string): SafeHeader {
  const dataStart = LENGTH_BYTES + json.length;
  let raw: Record<string, unknown>;
  try {
    raw = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(json)) as Record<string, unknown>;
  } catch {
    throw new InputError(`${source} is not a safetensors file: its header is not JSON.`);
  }
  if (typeof raw !== 'object' || raw === null || Array.isArray(raw)) {
    throw new InputError(`${source} is not a safetensors file: its header is not an object.`);
  }
  const { [METADATA]: metadata = {}, ...rest } = raw;
  if (!isStringRecord(metadata)) {
    throw new InputError(`${source}: the header's '${METADATA}' is not a record of strings.`);
  }
  const dataSize = fileSize - dataStart;
  const entries = new Map(
    Object.entries(rest).map(([key, entry]) => [key, checkEntry(key, entry, dataSize, source)]),
  );
  checkCoverage(entries, dataSize, source);
  return { entries, metadata, dataStart };
}

function isStringRecord(value: unknown): value is Record<string, string> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  return Object.values(value).every((text) => typeof text === 'string');
}

function checkEntry(key: string, entry: unknown, dataSize: number, source: string): SafeEntry {
  const { dtype, shape, data_offsets: offsets } = (entry ?? {}) as Record<string, unknown>;
  if (typeof dtype !== 'string' || !isIndexList(shape) || !isIndexList(offsets) || offsets.length !== 2) {
    throw new InputError(`${source}: the header entry of '${key}' has no valid dtype, shape and offsets.`);
  }
  const [begin, end] = offsets as [number, number];
  if (end > dataSize) {
    throw new InputError(
      `${source} is cut off: '${key}' ends at byte ${end} of the data, but only ${dataSize} are there.`,
    );
  }
  // A type that is not known may be of any size: whoever asks for its tensor is told.
  const expected = bytesOfElements(dtype, sizeOf(shape)) ?? end - begin;
  if (end - begin !== expected) {
    throw new InputError(
      `${source}: '${key}' of shape ${formatShape(shape)} and dtype ${dtype} needs ${expected} bytes, but its offsets give ${end - begin}.`,
    );
  }
  return { dtype, shape, begin, end };
}

function isIndexList(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((item) => Number.isSafeInteger(item) && item >= 0);
}

/** The format wants the tensors side by side from the first byte of the data to the last. */
function checkCoverage(entries: Map<string, SafeEntry>, dataSize: number, source: string): void {
  const sorted = [...entries].sort(([, a], [, b]) => a.begin - b.begin || a.end - b.end);
  let covered = 0;
  let former = '';
  for (const [key, { begin, end }] of sorted) {
    if (begin < covered)
      throw new InputError(`${source}: the data of '${key}' overlaps that of '${former}'.`);
    if (begin > covered) {
      throw new InputError(
        `${source}: ${begin - covered} bytes before the data of '${key}' belong to no tensor; the file is damaged.`,
      );
    }
    covered = end;
    former = key;
  }
  if (covered < dataSize) {
    throw new InputError(
      `${source}: the last ${dataSize - covered} bytes belong to no tensor; the file is damaged.`,
    );
  }
}
