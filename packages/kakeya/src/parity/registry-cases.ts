import { type BundleName, presets } from '../config.js';
import type { KakeyaHandle } from '../kakeya-handle.js';
import { KakeyaRegistry } from '../kakeya-registry.js';
import { type Matrix, matrix, rowOf } from '../matrix.js';
import type { SparseVec } from '../record.js';
import type { RoutingEntry } from '../routing.js';
import { encodeSparseRows } from '../sparse-codec.js';
import type { CaseReader } from './case-reader.js';

const MAPS = 'weights/baseToField/';
const CORPUS = 'in/corpus/';

function namesUnder(reader: CaseReader, prefix: string): string[] {
  return reader
    .names()
    .filter((name) => name.startsWith(prefix))
    .map((name) => name.slice(prefix.length));
}

function fieldsOfRow(corpus: Record<string, Matrix>, row: number): Record<string, Float64Array> {
  return Object.fromEntries(
    Object.entries(corpus).map(([field, rows]) => [field, Float64Array.from(rowOf(rows, row))]),
  );
}

function setNumbers(handle: KakeyaHandle): Record<string, number[]> {
  return Object.fromEntries(
    handle.fields().map((field) => [field, handle.entries[field]!.map(({ setIdx }) => setIdx)]),
  );
}

/** Builds a registry from the first rows, then encodes and decodes every listed row with every set. */
export function runRegistry(reader: CaseReader): void {
  const { routing, nTrain, ...config } = reader.config as {
    routing: RoutingEntry[];
    nTrain: number;
  } & Record<string, number>;
  const axis = (name: BundleName) => reader.vector(`in/axis/${name}`);
  const axes = { time: axis('time'), topic: axis('topic'), ctx: axis('ctx') };
  const widths = { dTime: axes.time.length, dTopic: axes.topic.length, dCtx: axes.ctx.length };
  const registry = new KakeyaRegistry({ ...presets.reference, ...config, ...widths });
  registry.defineSets(routing);
  const corpus = Object.fromEntries(
    namesUnder(reader, CORPUS).map((field) => [field, reader.matrix(CORPUS + field)]),
  );
  const train = Object.fromEntries(
    Object.entries(corpus).map(([field, m]) => [
      field,
      matrix(nTrain, m.cols, m.data.slice(0, nTrain * m.cols)),
    ]),
  );
  const maps = Object.fromEntries(namesUnder(reader, MAPS).map((key) => [key, reader.matrix(MAPS + key)]));
  registry.build(train, axes, { maps });
  compareSets(reader, registry);
  const { expected } = reader;
  reader.compareJson('invariantErrors', registry.verifyInvariants(nTrain, axes), expected.invariantErrors);
  for (const { row, fields } of (expected.handle ?? []) as {
    row: number;
    fields: Record<string, number[]>;
  }[]) {
    const memory = fieldsOfRow(corpus, row);
    const handle = registry.encodeMemoryFields(memory);
    reader.compareJson(`handle of row ${row}`, setNumbers(handle), fields);
    compareRecords(reader, registry, handle, memory, row);
    compareFields(reader, registry, handle, row);
  }
  const first = fieldsOfRow(corpus, 0);
  for (const key of Object.keys(expected).filter((name) => name.startsWith('handleWithOnly_'))) {
    const field = key.slice('handleWithOnly_'.length);
    reader.compareJson(
      key,
      setNumbers(registry.encodeMemoryFields({ [field]: first[field]! })),
      expected[key],
    );
  }
  const handle = registry.encodeMemoryFields(first);
  reader.compareJson(
    'decodeUnknownField',
    registry.decodeField(handle, 'no such field'),
    expected.decodeUnknownField,
  );
  const field = handle.fields()[0]!;
  reader.compareJson(
    'decodeUnknownSet',
    registry.decodeField(handle, field, routing.length),
    expected.decodeUnknownSet,
  );
}

function compareSets(reader: CaseReader, registry: KakeyaRegistry): void {
  const actual = registry.sets.map((set) => ({
    setIdx: set.setIdx,
    owner: set.ownerBundleName,
    fields: set.compressedFields,
    active: set.isActive,
    dEff: set.skeleton?.dEff ?? null,
    K: set.skeleton?.K ?? null,
    offsets: registry.offsetsOf(set.setIdx),
  }));
  reader.compareJson('sets', actual, reader.expected.sets);
  for (const { setIdx, skeleton } of registry.sets) {
    if (skeleton === null) continue;
    const prefix = `state/set${setIdx}/`;
    reader.compare(`${prefix}basis`, skeleton.basis.data);
    reader.compare(`${prefix}mean`, skeleton.mean);
    reader.compare(`${prefix}tDir`, skeleton.tDir);
    reader.compare(`${prefix}centers`, skeleton.centers.data);
  }
}

/** Records of the built sets, and of the stored skeletons. */
function compareRecords(
  reader: CaseReader,
  registry: KakeyaRegistry,
  handle: KakeyaHandle,
  memory: Record<string, Float64Array>,
  row: number,
): void {
  for (const record of handle.records() as SparseVec[]) {
    const { setIdx } = record;
    const set = registry.sets[setIdx]!;
    const stored = reader.skeleton(`state/set${setIdx}/`, set.skeleton!.dRes);
    const joined = Float64Array.from(set.compressedFields.flatMap((field) => [...memory[field]!]));
    const encoding = { encoder: 'parity', assignment: 'signed' } as const;
    const again = encodeSparseRows(matrix(1, joined.length, joined), stored, encoding)[0]!;
    for (const [label, code] of [
      ['built', record],
      ['stored', again],
    ] as const) {
      const name = (part: string) => `out/row${row}/set${setIdx}/${part}`;
      const as = (part: string) => ({ as: `${label}/row${row}/set${setIdx}/${part}` });
      const scalars = reader.vector(name('scalars'));
      reader.compareTo(as('segId').as, [code.segId], [scalars[0]!], 'exact');
      reader.compare(name('scalars'), [code.segId, code.alpha, code.t], as('scalars'));
      reader.compare(name('residualIdx'), code.residualIdx, as('residualIdx'));
      reader.compare(name('residualVals'), code.residualVals, as('residualVals'));
    }
  }
}

function compareFields(
  reader: CaseReader,
  registry: KakeyaRegistry,
  handle: KakeyaHandle,
  row: number,
): void {
  for (const field of handle.fields()) {
    const base = `out/row${row}/${field}/`;
    if (reader.has(`${base}default`)) {
      reader.compare(`${base}default`, registry.decodeField(handle, field)!);
    }
    for (const { setIdx } of handle.entries[field]!) {
      const name = `${base}set${setIdx}`;
      if (reader.has(name)) reader.compare(name, registry.decodeField(handle, field, setIdx)!);
    }
  }
}
