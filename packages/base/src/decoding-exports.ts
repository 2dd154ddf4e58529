import type { WasmMemory } from './wasm-kernels.js';

/** What the compiled kernels of decoding take: addresses in bytes, counts in numbers. */
export interface DecodingExports {
  readonly memory: WasmMemory;
  multiply(
    y: number,
    w: number,
    x: number,
    bias: number,
    rows: number,
    columns: number,
    blocks: number,
    relu: boolean,
  ): void;
  addNormalised(y: number, sum: number, branch: number, gain: number, bias: number, width: number): void;
  multiplyBytes(
    y: number,
    w: number,
    x: number,
    sums: number,
    shorts: number,
    bias: number,
    rows: number,
    columns: number,
    blocks: number,
    relu: boolean,
  ): void;
  attend(
    y: number,
    query: number,
    keys: number,
    values: number,
    scores: number,
    count: number,
    keyWidth: number,
    valueWidth: number,
    scale: number,
  ): number;
  attendBytes(
    y: number,
    query: number,
    stride: number,
    keys: number,
    keySteps: number,
    values: number,
    valueSteps: number,
    scores: number,
    shorts: number,
    heads: number,
    count: number,
    keyWidth: number,
    valueWidth: number,
    scale: number,
  ): void;
  putRows(
    keys: number,
    keySteps: number,
    values: number,
    valueSteps: number,
    key: number,
    value: number,
    stride: number,
    count: number,
    heads: number,
    column: number,
    keyWidth: number,
    valueWidth: number,
  ): void;
  roundBytes(to: number, x: number, count: number): number;
  turn(x: number, rows: number, stride: number, cos: number, sin: number, pairs: number): void;
  gelu(x: number, count: number): void;
  addRootNormalised(
    y: number,
    sum: number,
    branch: number,
    gain: number,
    width: number,
    epsilon: number,
  ): void;
  swiGlu(y: number, gate: number, value: number, count: number): void;
  positive(x: number, count: number): void;
  gruState(h: number, input: number, state: number, width: number): void;
  lstmState(h: number, cell: number, input: number, state: number, width: number): void;
  receive(
    tiles: number,
    row: number,
    headStride: number,
    scores: number,
    scoreStride: number,
    factors: number,
    scale: number,
    firsts: number,
    end: number,
    heads: number,
    group: number,
  ): void;
  fadeInSpectra(
    tiles: number,
    head: number,
    oldest: number,
    order: number,
    window: number,
    turns: number,
    lines: number,
    scratch: number,
    size: number,
    first: number,
    end: number,
    decay: number,
  ): void;
  blockLargest(to: number, scores: number, count: number): void;
  blockShares(
    shares: number,
    sums: number,
    scores: number,
    count: number,
    largest: number,
    temperature: number,
    roots: number,
  ): void;
  recall(y: number, sums: number, query: number, keyWidth: number, valueWidth: number): void;
  remember(
    sums: number,
    key: number,
    value: number,
    keyWidth: number,
    valueWidth: number,
    fade: number,
  ): void;
  pool(
    sum: number,
    peak: number,
    total: number,
    queries: number,
    source: number,
    slots: number,
    width: number,
  ): void;
}
