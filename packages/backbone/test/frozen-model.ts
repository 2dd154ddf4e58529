import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type NDArray,
  QuantisedMatrix,
  StoredArray,
  StoredMatrix,
  treeLeaves,
  treeToRecord,
} from '@palimpsest/tensor-core';
import { afterAll } from 'vitest';
import { createFrozenTransformer, type FrozenMatrix } from '../src/frozen-transformer.js';
import type { TransformerOptions } from '../src/index.js';
import { livelyModel } from './helpers.js';

const scratch = mkdtempSync(join(tmpdir(), 'palimpsest-frozen-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

let files = 0;

/**
 * A model whose matrices are frozen: as they are in a file, or with few bits in memory.
 * @param isRounded whether a file holds the numbers that weights of so few bits stand for, in place of the few bits in memory
 */
export function frozenModel(options: Partial<TransformerOptions>, bits?: 4 | 8, isRounded = false) {
  const shape = {
    vocabSize: 23,
    layers: 3,
    heads: 4,
    modelWidth: 32,
    headWidth: 16,
    context: 300,
    ...options,
  };
  const { model, params } = livelyModel(shape);
  const isMatrix = (path: string) => path.endsWith('weight') || path === 'tokenEmbedding';
  const matrices = new Map<string, FrozenMatrix>();
  for (const { path, leaf } of treeLeaves<NDArray>(params)) {
    if (!isMatrix(path)) continue;
    const [outputs, inputs] = leaf.shape as [number, number];
    const data = leaf.data as Float32Array;
    const few = bits && new QuantisedMatrix(outputs, inputs, bits);
    for (let row = 0; row < outputs; row++) few?.setRow(row, data.subarray(row * inputs, (row + 1) * inputs));
    if (few && !isRounded) {
      matrices.set(path, few);
      continue;
    }
    const whole = few ? numbersOf(few) : data;
    const file = join(scratch, `${files++}.data`);
    writeFileSync(file, whole);
    matrices.set(path, new StoredMatrix(new StoredArray(file, 0, leaf.shape, 'float32')));
  }
  const others = Object.fromEntries(
    Object.entries(treeToRecord<NDArray>(params)).filter(([path]) => !isMatrix(path)),
  );
  return { model: createFrozenTransformer(model.options, matrices), others, matrices };
}

/** What weights of few bits stand for, row by row. */
function numbersOf(matrix: QuantisedMatrix): Float32Array {
  const numbers = new Float32Array(matrix.outputs * matrix.inputs);
  for (let row = 0; row < matrix.outputs; row++) numbers.set(matrix.row(row), row * matrix.inputs);
  return numbers;
}
