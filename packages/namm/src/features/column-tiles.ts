import { type DecodingKernels, type Place, TILE } from '@palimpsest/base';
import { type NDArray, ndarray } from '@palimpsest/tensor-core';
import type { HostRoom } from '../policy/host-observer.js';

/** A head's line among those of a tile. */
type LineOf = (head: number, line: number) => number;

/** Lines of numbers about the columns of a layer, in tiles that come as columns do; those of a new tile are 0. */
export class ColumnTiles {
  /** Addresses of the tiles. */
  readonly table: Place;
  readonly #tableSize: number;
  readonly #tiles: Place[] = [];

  /**
   * @param lines of a tile
   * @param columns the most that there will be
   */
  constructor(
    private readonly kernels: DecodingKernels,
    private readonly room: HostRoom,
    private readonly lines: number,
    columns: number,
  ) {
    this.#tableSize = 4 * Math.ceil(columns / TILE / 4);
    this.table = room.take(this.#tableSize);
  }

  get bytes(): number {
    return 4 * (this.#tableSize + this.#tiles.length * this.lines * TILE);
  }

  /** Makes room for so many columns. */
  reach(columns: number): void {
    if (columns <= this.#tiles.length * TILE) return;
    while (columns > this.#tiles.length * TILE) {
      const size = this.lines * TILE;
      const place = this.room.take(size);
      this.kernels.numbers.fill(0, place, place + size);
      this.#tiles.push(place);
    }
    this.kernels.putAddresses(this.table, this.#tiles);
  }

  /** Copies `[1, heads, lines, tokens]` to where its lines belong. */
  put({ data, shape }: NDArray, lineOf: LineOf): void {
    const [, heads, lines, tokens] = shape as [number, number, number, number];
    const { numbers } = this.kernels;
    this.#walk(heads, lines, tokens, lineOf, (place, from, count) => {
      for (let i = 0; i < count; i++) numbers[place + i] = data[from + i]!;
    });
  }

  /** The first columns of lines, `[1, heads, lines, tokens]`. */
  take(heads: number, lines: number, tokens: number, lineOf: LineOf): NDArray<'float32'> {
    const data = new Float32Array(heads * lines * tokens);
    const { numbers } = this.kernels;
    this.#walk(heads, lines, tokens, lineOf, (place, to, count) => {
      for (let i = 0; i < count; i++) data[to + i] = numbers[place + i]!;
    });
    return ndarray(data, [1, heads, lines, tokens]);
  }

  /** Every stretch of a line that lies in one tile: its place, where it is in `[heads, lines, tokens]`, and how long it is. */
  #walk(
    heads: number,
    lines: number,
    tokens: number,
    lineOf: LineOf,
    visit: (place: Place, at: number, count: number) => void,
  ): void {
    for (let line = 0; line < heads * lines; line++) {
      const within = TILE * lineOf(Math.floor(line / lines), line % lines);
      for (const [tile, place] of this.#tiles.entries()) {
        const first = tile * TILE;
        if (first < tokens) visit(place + within, line * tokens + first, Math.min(TILE, tokens - first));
      }
    }
  }

  dispose(): void {
    for (const place of this.#tiles) this.room.give(place, this.lines * TILE);
    this.room.give(this.table, this.#tableSize);
    this.#tiles.length = 0;
  }
}
