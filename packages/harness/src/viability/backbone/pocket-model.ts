import {
  layerFrequencies,
  resolveConfig,
  type TransformerOptions,
  type TransformerParameters,
} from '@palimpsest/backbone';
import { full, type NDArray, type Rng, zeros } from '@palimpsest/tensor-core';
import { POCKET_VOCABULARY } from '../pocket-tokenizer.js';

const WIDTH = 128;
const LAYERS = 4;
const HEADS = 4;
const KEY_VALUE_HEADS = 2;
const HEAD_WIDTH = WIDTH / HEADS;
const MLP_WIDTH = 256;
const ROTARY_BASE = 1e6;

/** Tokens of the longest text that the offline backbone is trained on. */
export const LONGEST_TEXT = 768;

/** The offline backbone: a Qwen2 of 854,144 parameters. */
export const pocketOptions = {
  vocabSize: POCKET_VOCABULARY,
  context: 4096,
  capacity: LONGEST_TEXT,
  layers: LAYERS,
  heads: HEADS,
  keyValueHeads: KEY_VALUE_HEADS,
  modelWidth: WIDTH,
  mlpWidth: MLP_WIDTH,
  positions: 'rotary',
  rotaryBase: ROTARY_BASE,
  norm: 'rms',
  normEpsilon: 1e-6,
  activation: 'swiglu',
  queryKeyValueBias: true,
  tiedHead: true,
} as const satisfies TransformerOptions;

const FIRST_KEY = HEADS * HEAD_WIDTH;
const FIRST_VALUE = FIRST_KEY + KEY_VALUE_HEADS * HEAD_WIDTH;
const HALF = HEAD_WIDTH / 2;
const SPEEDS = layerFrequencies(resolveConfig(pocketOptions), 0)!;

/**
 * First parameters in which two heads already are what copying from the text before needs, in place of a million tokens after which
 * they would appear: one that reads the token before, and one that looks for where the present token stood behind it ("induction heads",
 * Olsson et al. 2022). Training changes them like all others.
 */
export function pocketInit(rng: Rng): TransformerParameters<NDArray> {
  const normal = (shape: readonly number[], deviation: number) => rng.normalArray(shape, 0, deviation);
  const residual = 0.04 / Math.sqrt(2 * LAYERS);
  const rows = (HEADS + 2 * KEY_VALUE_HEADS) * HEAD_WIDTH;
  const norm = () => ({ gain: full([WIDTH], 1) });
  const block = () => ({
    attentionNorm: norm(),
    queryKeyValue: { weight: normal([rows, WIDTH], 0.04), bias: zeros([rows]) },
    output: { weight: normal([WIDTH, WIDTH], residual) },
    mlpNorm: norm(),
    up: { weight: normal([2 * MLP_WIDTH, WIDTH], 0.04) },
    down: { weight: normal([WIDTH, MLP_WIDTH], residual) },
  });
  const tokenEmbedding = normal([POCKET_VOCABULARY, WIDTH], 0.1);
  const [first, second, ...others] = Array.from({ length: LAYERS }, block);
  const [a, b, c] = [orthonormalRows(rng), orthonormalRows(rng), orthonormalRows(rng)];
  readsTokenBefore(first!);
  movesTo(first!, a, b);
  findsSameToken(second!, a, b, rng);
  movesTo(second!, c, c);
  return { tokenEmbedding, blocks: [first!, second!, ...others], norm: norm() };
}

interface SeededBlock {
  readonly queryKeyValue: { readonly weight: NDArray<'float32'>; readonly bias: NDArray<'float32'> };
  readonly output: { readonly weight: NDArray<'float32'> };
}

const setRow = ({ data }: NDArray<'float32'>, row: number, values: ArrayLike<number>, factor = 1) => {
  for (let i = 0; i < WIDTH; i++) data[row * WIDTH + i] = factor * values[i]!;
};

/** Head 0 attends by distance alone: its biases score 25 at the token before, and less everywhere else. */
function readsTokenBefore({ queryKeyValue: { weight, bias } }: SeededBlock): void {
  for (let i = 0; i < HEAD_WIDTH; i++) {
    for (const row of [i, FIRST_KEY + i]) setRow(weight, row, weight.data.slice(row * WIDTH), 0.1);
  }
  const length = (5 / Math.sqrt(8)) * HEAD_WIDTH ** 0.25;
  for (let i = 0; i < 8; i++) {
    bias.data[FIRST_KEY + i] = length;
    // The key's bias, turned back by one position.
    bias.data[i] = length * Math.cos(SPEEDS[i]!);
    bias.data[HALF + i] = -length * Math.sin(SPEEDS[i]!);
  }
}

/** Head 0 compares the present token with what each place keeps of the token before it, on coordinates that hardly turn. */
function findsSameToken(
  { queryKeyValue: { weight } }: SeededBlock,
  query: Float64Array[],
  key: Float64Array[],
  rng: Rng,
): void {
  for (let i = 0; i < HEAD_WIDTH; i++) {
    const factor = SPEEDS[i % HALF]! < 0.01 ? 1.6 : 0;
    const noisy = (row: Float64Array) => row.map((value) => factor * value + 0.02 * rng.normal());
    setRow(weight, i, noisy(query[i]!));
    setRow(weight, FIRST_KEY + i, noisy(key[i]!));
  }
}

/** What head 0 reads through one set of rows it adds along another. */
function movesTo(
  { queryKeyValue, output }: SeededBlock,
  read: Float64Array[],
  written: Float64Array[],
): void {
  for (let i = 0; i < HEAD_WIDTH; i++) {
    setRow(queryKeyValue.weight, FIRST_VALUE + i, read[i]!);
    for (let row = 0; row < WIDTH; row++) output.weight.data[row * WIDTH + i] = 0.15 * written[i]![row]!;
  }
}

/** Rows of a head at unit length and at right angles to each other, by Gram and Schmidt. */
function orthonormalRows(rng: Rng): Float64Array[] {
  const rows: Float64Array[] = [];
  while (rows.length < HEAD_WIDTH) {
    let row = Float64Array.from({ length: WIDTH }, () => rng.normal());
    for (const other of rows) {
      const along = row.reduce((sum, value, i) => sum + value * other[i]!, 0);
      row = row.map((value, i) => value - along * other[i]!);
    }
    const length = Math.hypot(...row);
    rows.push(row.map((value) => value / length));
  }
  return rows;
}

/** The embedding decays like every other matrix here. */
export const pocketDecays = [{ match: /^tokenEmbedding$/, decays: true }] as const;
