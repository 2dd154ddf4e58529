import type { GoldenCase, GoldenHandler, GoldenOutputs } from '@palimpsest/base/golden';
import { type BundleName, presets } from '../config.js';
import { type Matrix, matrix, rowOf } from '../linalg/matrix.js';
import type { KakeyaHandle } from '../registry/kakeya-handle.js';
import { KakeyaRegistry } from '../registry/kakeya-registry.js';
import type { RoutingEntry } from '../registry/routing.js';
import type { SparseVec } from '../set/record.js';
import { encodeSparseRows } from '../set/sparse-codec.js';
import { firstRows, matrixOf, storedSkeleton } from './inputs.js';
import { skeletonOutputs } from './outputs.js';

const MAPS = 'weights/baseToField/';
const CORPUS = 'in/corpus/';

type Corpus = Readonly<Record<string, Matrix>>;
type Memory = Readonly<Record<string, Float64Array>>;

/** Builds a registry from the first rows, then encodes and decodes every listed row with every set. */
export const registryCase: GoldenHandler = {
  system: 'kakeya',
  kind: 'registry',
  given: ['expected/handle/*/row'],
  run: (testCase) => {
    const { routing, nTrain, ...config } = testCase.config as {
      routing: RoutingEntry[];
      nTrain: number;
    } & Record<string, number>;
    const axis = (name: BundleName) => testCase.numbers(`in/axis/${name}`);
    const axes = { time: axis('time'), topic: axis('topic'), ctx: axis('ctx') };
    const widths = { dTime: axes.time.length, dTopic: axes.topic.length, dCtx: axes.ctx.length };
    const registry = new KakeyaRegistry({ ...presets.reference, ...config, ...widths });
    registry.defineSets(routing);
    const corpus = matricesUnder(testCase, CORPUS);
    const train = Object.fromEntries(
      Object.entries(corpus).map(([field, m]) => [field, firstRows(m, nTrain)]),
    );
    registry.build(train, axes, { maps: matricesUnder(testCase, MAPS) });
    const { handle = [] } = testCase.member('expected', {} as { handle?: { row: number }[] });
    const rows = handle.map(({ row }) => ({ row, memory: memoryOf(corpus, row) }));
    const handles = rows.map(({ memory }) => registry.encodeMemoryFields(memory));
    const first = memoryOf(corpus, 0);
    const firstHandle = registry.encodeMemoryFields(first);
    const outputs = [
      ...rows.map(({ row, memory }, i) => recordOutputs(testCase, registry, handles[i]!, memory, row)),
      ...rows.map(({ row }, i) => fieldOutputs(registry, handles[i]!, row)),
      ...Object.keys(corpus).map((field) => ({
        [`expected/handleWithOnly_${field}`]: () =>
          setNumbers(registry.encodeMemoryFields({ [field]: first[field]! })),
      })),
    ];
    return Object.assign(setOutputs(registry), ...outputs, {
      'expected/invariantErrors': () => registry.verifyInvariants(nTrain, axes),
      'expected/handle': () => handles.map((one) => ({ fields: setNumbers(one) })),
      'expected/decodeUnknownField': registry.decodeField(firstHandle, 'no such field'),
      'expected/decodeUnknownSet': registry.decodeField(
        firstHandle,
        firstHandle.fields()[0]!,
        routing.length,
      ),
    }) as GoldenOutputs;
  },
};

function matricesUnder(testCase: GoldenCase, prefix: string): Record<string, Matrix> {
  return Object.fromEntries(
    testCase.names(prefix).map((name) => [name.slice(prefix.length), matrixOf(testCase, name)]),
  );
}

function memoryOf(corpus: Corpus, row: number): Memory {
  return Object.fromEntries(
    Object.entries(corpus).map(([field, rows]) => [field, Float64Array.from(rowOf(rows, row))]),
  );
}

function setNumbers(handle: KakeyaHandle): Record<string, number[]> {
  return Object.fromEntries(
    handle.fields().map((field) => [field, handle.entries[field]!.map(({ setIdx }) => setIdx)]),
  );
}

function setOutputs(registry: KakeyaRegistry): GoldenOutputs {
  const sets = registry.sets.map((set) => ({
    setIdx: set.setIdx,
    owner: set.ownerBundleName,
    fields: set.compressedFields,
    active: set.isActive,
    dEff: set.skeleton?.dEff ?? null,
    K: set.skeleton?.K ?? null,
    offsets: registry.offsetsOf(set.setIdx),
  }));
  const skeletons = registry.sets.map(({ setIdx, skeleton }) =>
    skeleton === null ? {} : skeletonOutputs(skeleton, `state/set${setIdx}/`),
  );
  return Object.assign({ 'expected/sets': () => sets }, ...skeletons) as GoldenOutputs;
}

/** Records of the built sets, and of the stored skeletons. */
function recordOutputs(
  testCase: GoldenCase,
  registry: KakeyaRegistry,
  handle: KakeyaHandle,
  memory: Memory,
  row: number,
): GoldenOutputs {
  const outputs = (handle.records() as SparseVec[]).flatMap((record) => {
    const set = registry.sets[record.setIdx]!;
    const stored = storedSkeleton(testCase, `state/set${record.setIdx}/`, set.skeleton!.dRes);
    const joined = Float64Array.from(set.compressedFields.flatMap((field) => [...memory[field]!]));
    const encoding = { encoder: 'parity', assignment: 'signed' } as const;
    const again = encodeSparseRows(matrix(1, joined.length, joined), stored, encoding)[0]!;
    return [['built', record] as const, ['stored', again] as const].map(([form, code]) => {
      const name = (part: string) => `out/row${row}/set${record.setIdx}/${part}@${form}`;
      return {
        [name('scalars')]: () => [code.segId, code.alpha, code.t],
        [name('residualIdx')]: () => code.residualIdx,
        [name('residualVals')]: () => code.residualVals,
      };
    });
  });
  return Object.assign({}, ...outputs) as GoldenOutputs;
}

function fieldOutputs(registry: KakeyaRegistry, handle: KakeyaHandle, row: number): GoldenOutputs {
  const outputs = handle.fields().flatMap((field) => {
    const base = `out/row${row}/${field}/`;
    return [
      { [`${base}default`]: () => registry.decodeField(handle, field) },
      ...handle.entries[field]!.map(({ setIdx }) => ({
        [`${base}set${setIdx}`]: () => registry.decodeField(handle, field, setIdx),
      })),
    ];
  });
  return Object.assign({}, ...outputs) as GoldenOutputs;
}
