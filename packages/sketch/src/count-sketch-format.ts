import { InputError } from '@palimpsest/base';
import { expectLength } from './checks.js';
import { expectTable, type SketchTable } from './sketch-table.js';

/** What a saved sketch consists of. */
export interface SketchContent {
  readonly table: SketchTable;
  readonly counters: Float64Array;
}

/** Everything needed to build a sketch again, as JSON. */
export interface CountSketchJson {
  readonly dim: number;
  readonly sketchDim: number;
  readonly index: readonly number[];
  readonly sign: readonly number[];
  readonly counters: readonly number[];
}

/** 'PCSK', then the version of the layout. */
const MAGIC = 0x4b534350;
const VERSION = 1;
/** Magic, version and number of rows. */
const HEADER = 12;
/** dim and sketchDim of a row. */
const ROW_HEADER = 8;

export function toCountSketchJson({ table, counters }: SketchContent): CountSketchJson {
  const lost = counters.findIndex((value) => !Number.isFinite(value));
  if (lost >= 0)
    throw new InputError(`Counter ${lost} is ${counters[lost]}, which JSON cannot hold; use toBytes.`);
  const { dim, sketchDim, index, sign } = table;
  return { dim, sketchDim, index: [...index], sign: [...sign], counters: [...counters] };
}

/** @throws InputError naming what is missing or wrong. */
export function fromCountSketchJson(json: CountSketchJson): SketchContent {
  if (typeof json !== 'object' || json === null)
    throw new InputError('A saved sketch must be a JSON object.');
  for (const name of ['index', 'sign', 'counters'] as const) {
    if (!Array.isArray(json[name])) throw new InputError(`The saved sketch lacks the list '${name}'.`);
  }
  const { dim, sketchDim, index, sign, counters } = json;
  // Checked before typed arrays round or wrap what does not fit them.
  expectTable({ dim, sketchDim, index, sign }, 'The saved sketch');
  expectLength(counters, sketchDim, 'The saved sketch: counters');
  counters.forEach((value, r) => {
    if (!Number.isFinite(value))
      throw new InputError(`The saved sketch: counter ${r} is ${value}, not a number.`);
  });
  const table = { dim, sketchDim, index: Int32Array.from(index), sign: Float32Array.from(sign) };
  return { table, counters: Float64Array.from(counters) };
}

const rowBytes = (dim: number, sketchDim: number) => ROW_HEADER + 5 * dim + 8 * sketchDim;

/** Sketches one after another, little-endian: sizes, buckets (int32), signs (int8), counters (float64). */
export function encodeCountSketches(rows: readonly SketchContent[]): Uint8Array {
  const total = rows.reduce((sum, { table }) => sum + rowBytes(table.dim, table.sketchDim), HEADER);
  const view = new DataView(new ArrayBuffer(total));
  [MAGIC, VERSION, rows.length].forEach((word, i) => {
    view.setUint32(4 * i, word, true);
  });
  let at = HEADER;
  for (const { table, counters } of rows) {
    view.setUint32(at, table.dim, true);
    view.setUint32(at + 4, table.sketchDim, true);
    at += ROW_HEADER;
    for (let i = 0; i < table.dim; i++, at += 4) view.setInt32(at, table.index[i]!, true);
    for (let i = 0; i < table.dim; i++, at += 1) view.setInt8(at, table.sign[i]!);
    for (let r = 0; r < table.sketchDim; r++, at += 8) view.setFloat64(at, counters[r]!, true);
  }
  return new Uint8Array(view.buffer);
}

/** @throws InputError for bytes that are foreign, of another version, torn or longer than they say. */
export function decodeCountSketches(bytes: Uint8Array): SketchContent[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.byteLength < HEADER || view.getUint32(0, true) !== MAGIC) {
    throw new InputError(`These ${bytes.byteLength} bytes are no saved sketch.`);
  }
  const version = view.getUint32(4, true);
  if (version !== VERSION) {
    throw new InputError(`The saved sketch has version ${version}; this release reads version ${VERSION}.`);
  }
  const count = view.getUint32(8, true);
  const rows: SketchContent[] = [];
  let at = HEADER;
  while (rows.length < count) {
    expectBytes(view, at + ROW_HEADER);
    const size = rowBytes(view.getUint32(at, true), view.getUint32(at + 4, true));
    expectBytes(view, at + size);
    rows.push(decodeRow(view, at));
    at += size;
  }
  if (at !== bytes.byteLength || count === 0) {
    throw new InputError(`The saved sketch ends after ${at} bytes, but ${bytes.byteLength} were given.`);
  }
  return rows;
}

function expectBytes(view: DataView, needed: number): void {
  if (view.byteLength < needed) {
    throw new InputError(
      `The saved sketch is torn: ${needed} bytes or more were expected, but ${view.byteLength} were given.`,
    );
  }
}

function decodeRow(view: DataView, start: number): SketchContent {
  const dim = view.getUint32(start, true);
  const sketchDim = view.getUint32(start + 4, true);
  const signs = start + ROW_HEADER + 4 * dim;
  const counters = signs + dim;
  const table = {
    dim,
    sketchDim,
    index: Int32Array.from({ length: dim }, (_, i) => view.getInt32(start + ROW_HEADER + 4 * i, true)),
    sign: Float32Array.from({ length: dim }, (_, i) => view.getInt8(signs + i)),
  };
  expectTable(table, 'The saved sketch');
  return {
    table,
    counters: Float64Array.from({ length: sketchDim }, (_, r) => view.getFloat64(counters + 8 * r, true)),
  };
}
