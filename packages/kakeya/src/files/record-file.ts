import type { SafeTensor } from '@palimpsest/base';
import { expect } from '../errors.js';
import type { CompressedVec } from '../set/record.js';
import { storedBytes, storedIntegers, storedVector, type TensorReader } from './kakeya-file.js';

const SPARSE = 0;
const BYTES = 1;

/** Records as a struct of arrays, names prefixed; variable parts lie end to end with their lengths beside. */
export function writeRecords(records: readonly CompressedVec[], prefix: string): Record<string, SafeTensor> {
  const sparse = records.filter((record) => record.kind === 'sparse');
  const coded = records.filter((record) => record.kind === 'bytes');
  const bytes = new Uint8Array(coded.reduce((sum, record) => sum + record.bytes.length, 0));
  let at = 0;
  for (const record of coded) {
    bytes.set(record.bytes, at);
    at += record.bytes.length;
  }
  return {
    [`${prefix}kind`]: storedIntegers(records.map(({ kind }) => (kind === 'sparse' ? SPARSE : BYTES))),
    [`${prefix}setIdx`]: storedIntegers(records.map(({ setIdx }) => setIdx)),
    [`${prefix}epoch`]: storedIntegers(records.map(({ epoch }) => epoch)),
    [`${prefix}relErr`]: storedVector(records.map(({ relErr }) => relErr)),
    [`${prefix}fieldCount`]: storedIntegers(records.map(({ fieldRelErr }) => fieldRelErr.length)),
    [`${prefix}fieldRelErr`]: storedVector(records.flatMap(({ fieldRelErr }) => [...fieldRelErr])),
    [`${prefix}segId`]: storedIntegers(sparse.map(({ segId }) => segId)),
    [`${prefix}alpha`]: storedVector(sparse.map(({ alpha }) => alpha)),
    [`${prefix}t`]: storedVector(sparse.map(({ t }) => t)),
    [`${prefix}residualCount`]: storedIntegers(sparse.map(({ residualIdx }) => residualIdx.length)),
    [`${prefix}residualIdx`]: storedIntegers(sparse.flatMap(({ residualIdx }) => [...residualIdx])),
    [`${prefix}residualVals`]: storedVector(sparse.flatMap(({ residualVals }) => [...residualVals])),
    [`${prefix}byteCount`]: storedIntegers(coded.map((record) => record.bytes.length)),
    [`${prefix}bytes`]: storedBytes(bytes),
  };
}

/** Inverse of {@link writeRecords}. */
export function readRecords(reader: TensorReader, prefix: string): CompressedVec[] {
  const integers = (name: string) => reader.integers(prefix + name);
  const floats = (name: string) => reader.floats(prefix + name);
  const [setIdx, epoch, fieldCount] = [integers('setIdx'), integers('epoch'), integers('fieldCount')];
  const [relErr, alpha, t] = [floats('relErr'), floats('alpha'), floats('t')];
  const segId = integers('segId');
  const fieldRelErr = pieces(floats('fieldRelErr'), fieldCount);
  const residualIdx = pieces(integers('residualIdx'), integers('residualCount'));
  const residualVals = pieces(floats('residualVals'), integers('residualCount'));
  const bytes = pieces(reader.bytes(`${prefix}bytes`), integers('byteCount'));
  const kinds = [...integers('kind')];
  const lists = { setIdx, epoch, relErr, fieldCount };
  for (const [name, list] of Object.entries(lists)) {
    expect(list.length === kinds.length, () => {
      return `array ${prefix}${name} has ${list.length} numbers for ${kinds.length} records.`;
    });
  }
  const ofSparse = { segId, alpha, t, residualCount: residualIdx };
  for (const [name, list] of Object.entries(ofSparse)) {
    const count = kinds.filter((kind) => kind === SPARSE).length;
    expect(
      list.length === count,
      () => `array ${prefix}${name} has ${list.length} numbers for ${count} sparse records.`,
    );
  }
  const codedCount = kinds.filter((kind) => kind === BYTES).length;
  expect(bytes.length === codedCount && kinds.every((kind) => kind === SPARSE || kind === BYTES), () => {
    return `array ${prefix}kind does not fit the ${bytes.length} records of bytes.`;
  });
  let sparse = 0;
  let coded = 0;
  return kinds.map((kind, i) => {
    const header = {
      setIdx: setIdx[i]!,
      epoch: epoch[i]!,
      relErr: relErr[i]!,
      fieldRelErr: [...fieldRelErr[i]!],
    };
    if (kind === BYTES) return { kind: 'bytes', ...header, bytes: bytes[coded++]! };
    const at = sparse++;
    return {
      kind: 'sparse',
      ...header,
      segId: segId[at]!,
      alpha: alpha[at]!,
      t: t[at]!,
      residualIdx: residualIdx[at]!,
      residualVals: residualVals[at]!,
    };
  });
}

/** Cuts an array into pieces of the given lengths. Throws unless they make up all of it. */
export function pieces<A extends Float32Array | Int32Array | Uint8Array>(data: A, lengths: Int32Array): A[] {
  const total = lengths.reduce((sum, length) => sum + Math.max(length, 0), 0);
  expect(total === data.length && lengths.every((length) => length >= 0), () => {
    return `${data.length} values do not make up pieces of ${total} in all.`;
  });
  let at = 0;
  return [...lengths].map((length) => {
    at += length;
    return data.slice(at - length, at) as A;
  });
}
