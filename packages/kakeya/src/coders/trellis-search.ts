import { KERNEL_START, type Kernels, kernelNumbers } from '../linalg/matrix-kernel.js';
import type { LevelTable } from './level-table.js';
import { type Paths, pathPlaces, plainPathSpace, runKernel, writeLanes } from './trellis-paths.js';

/** The shift register of a trellis. */
export interface Register {
  readonly memory: number;
  /** Subset 0 ... 3 of every register content of memory + 1 bits. */
  readonly subsets: Uint8Array;
  /** Code bits of the registers 2 t, for the first half of the states. */
  readonly codes: Uint8Array;
}

/** Subset of every pair of code bits: the codes of subsets two levels apart are two bits apart. */
export const subsetOfCode: readonly number[] = [0, 1, 3, 2];

/** The components of all vectors that are coded with one trellis. */
export interface Components {
  /** Factor of every component's squared error. */
  readonly weights: Float64Array;
  readonly tables: readonly LevelTable[];
}

/**
 * Codes the row of x that begins at `from` by the path of least error: path bit lowest, number of the level above it. The
 * numbers of the row become the levels they are coded as.
 */
export type CodeRow = (x: Float64Array, from: number, codes: Uint16Array) => void;

/** Numbers of 8 bytes that the kernel reads per component. */
const PARAMETERS = 5;
/** Numbers before and behind the levels in the kernels' memory. */
const MARGIN = 4;

/** Prepares the kernels for many rows; nothing else may use them in between. */
export function kernelCoder(
  kernels: Kernels,
  { subsets, codes: codeOf }: Register,
  { weights, tables }: Components,
): CodeRow {
  const n = weights.length;
  const half = codeOf.length;
  const places = pathPlaces(KERNEL_START, n, half);
  const room = (start: number, bytes: number) => start + Math.ceil(bytes / 8);
  const subsetsAt = places.end;
  const chosenAt = room(subsetsAt, subsets.length);
  const codesAt = room(chosenAt, 4 * n);
  const xAt = room(codesAt, 2 * n);
  const scratchAt = xAt + n;
  const parametersAt = scratchAt + 4;
  const { numbers, tableAt } = tablesInMemory(kernels, tables, parametersAt + PARAMETERS * n);
  const views = new DataView(numbers.buffer);
  tables.forEach((table, p) => {
    const at = parametersAt + PARAMETERS * p;
    const { levels, thresholds, starts } = tableAt.get(table)!;
    numbers.set([table.grid.left, table.grid.perUnit, weights[p]!], at);
    const whole = [levels, thresholds, starts].map((place) => 8 * place);
    [...whole, table.grid.starts.length - 1].forEach((value, i) => {
      views.setInt32(8 * at + 24 + 4 * i, value, true);
    });
  });
  const bytes = new Uint8Array(numbers.buffer);
  const floats = new Float32Array(numbers.buffer);
  const shorts = new Uint16Array(numbers.buffer);
  writeLanes(bytes, places, codeOf);
  bytes.set(subsets, 8 * subsetsAt);
  const [xPlace, parameters, chosen] = [8 * xAt, 8 * parametersAt, 8 * chosenAt];
  return (x, from, codes) => {
    for (let p = 0; p < n; p++) numbers[xAt + p] = x[from + p]!;
    kernels.nearestLevels(n, xPlace, parameters, chosen, 8 * places.errors, 8 * scratchAt);
    const last = runKernel(kernels, floats, places, n, half);
    const [won, registers, codesPlace] = [8 * places.from, 8 * subsetsAt, 8 * codesAt];
    kernels.traceBack(n, half, 8 * last, won, chosen, registers, parameters, codesPlace, xPlace);
    for (let p = 0; p < n; p++) {
      x[from + p] = numbers[xAt + p]!;
      codes[p] = shorts[4 * codesAt + p]!;
    }
  };
}

interface TablePlaces {
  readonly levels: number;
  readonly thresholds: number;
  readonly starts: number;
}

/** Every table once, in the form in which the kernel reads it. */
function tablesInMemory(
  kernels: Kernels,
  tables: readonly LevelTable[],
  start: number,
): { numbers: Float64Array; tableAt: ReadonlyMap<LevelTable, TablePlaces> } {
  const tableAt = new Map<LevelTable, TablePlaces>();
  let end = start;
  for (const table of new Set(tables)) {
    const thresholds = end + table.levels.length + 2 * MARGIN;
    const starts = thresholds + table.levels.length;
    tableAt.set(table, { levels: end, thresholds, starts });
    end = starts + Math.ceil(table.grid.starts.length / 4);
  }
  const numbers = kernelNumbers(kernels, end);
  const shorts = new Uint16Array(numbers.buffer);
  for (const [{ levels, thresholds, grid }, places] of tableAt) {
    const first = places.levels + MARGIN;
    numbers.fill(-Infinity, places.levels, first);
    numbers.set(levels, first);
    numbers.fill(Infinity, first + levels.length, places.thresholds);
    numbers.set(thresholds, places.thresholds);
    numbers[places.thresholds + thresholds.length] = Infinity;
    shorts.set(grid.starts, 4 * places.starts);
  }
  return { numbers, tableAt };
}

/** The same in plain loops, to the same codes. */
export function plainCoder(register: Register, { weights, tables }: Components): CodeRow {
  const n = weights.length;
  const chosen = new Int32Array(n * 4);
  const errors = new Float64Array(4);
  const space = plainPathSpace(n, register.codes);
  return (x, from, codes) => {
    for (let p = 0; p < n; p++) {
      tables[p]!.nearest(x[from + p]!, chosen, 4 * p, errors);
      let least = Infinity;
      for (let s = 0; s < 4; s++) {
        errors[s]! *= weights[p]!;
        least = Math.min(least, errors[s]!);
      }
      // Every path has the least error, so that only what is above it decides.
      for (let code = 0; code < 4; code++) space.errors[4 * p + code] = errors[subsetOfCode[code]!]! - least;
    }
    traceBack(register, space.run(), chosen, codes);
    const { memory, subsets } = register;
    let state = 0;
    for (let p = 0; p < n; p++) {
      const content = ((codes[p]! & 1) << memory) | state;
      state = content >>> 1;
      x[from + p] = tables[p]!.levels[4 * (codes[p]! >>> 1) + subsets[content]!]!;
    }
  };
}

/** Codes of the cheapest path, backwards from the cheapest state. */
function traceBack(
  { memory, subsets, codes: codeOf }: Register,
  { costs, from }: Paths,
  chosen: Int32Array,
  codes: Uint16Array,
): void {
  const half = codeOf.length;
  const perComponent = Math.max(1, half / 4);
  let state = 0;
  for (let s = 1; s < costs.length; s++) if (costs[s]! < costs[state]!) state = s;
  for (let i = chosen.length / 4 - 1; i >= 0; i--) {
    const isHigh = state >= half;
    const low = isHigh ? state - half : state;
    const won = from[i * perComponent + (low >>> 2)]! >>> ((low & 3) + (isHigh ? 4 : 0));
    const register = (state << 1) | (won & 1);
    const level = chosen[4 * i + subsets[register]!]!;
    codes[i] = ((level >>> 2) << 1) | (state >>> (memory - 1));
    state = register & (costs.length - 1);
  }
}
