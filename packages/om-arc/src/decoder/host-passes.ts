import type { Place } from '@palimpsest/base';
import type { Cache, HostRoom } from './host-room.js';
import type { HostProjection } from './host-weights.js';

/** The passes of every layer over one text's keys, row by row. */
export class HostPasses {
  readonly #room: HostRoom;
  readonly #cache: Cache;

  constructor(room: HostRoom, cache: Cache) {
    this.#room = room;
    this.#cache = cache;
  }

  /** One row through all passes; its keys and values go into the column. Leaves the heads' outputs when they are wanted. */
  run(
    projections: readonly HostProjection[],
    layer: number,
    input: Place,
    column: number,
    wanted: boolean,
  ): void {
    const { weights, scratch } = this.#room;
    const { kernels, config, plans } = weights;
    const { packed, heads, scores } = scratch;
    const H = config.numHeads;
    const columns = 2 * config.stateLen + config.segmentLen;
    for (const plan of plans) {
      const { keyWidth: k, valueWidth: v, packedWidth: e, inputWidth: c, scale, index } = plan;
      const matrices = projections[index]!;
      if (index === 0) this.#room.multiply(packed, matrices[0]!, input);
      else
        for (let head = 0; head < H; head++)
          this.#room.multiply(packed + head * e, matrices[head]!, heads + head * c);
      const [keys, values] = [this.#cache.keys[layer]![index]!, this.#cache.values[layer]![index]!];
      for (let head = 0; head < H; head++) {
        const query = packed + head * e;
        this.#turn(index, query, column, k);
        this.#turn(index, query + k, column, k);
        const { numbers } = kernels;
        numbers.copyWithin(keys + (head * columns + column) * k, query + k, query + 2 * k);
        numbers.copyWithin(values + (head * columns + column) * v, query + 2 * k, query + 2 * k + v);
        if (!wanted && plan.isLast) continue;
        const [ownKeys, ownValues] = [keys + head * columns * k, values + head * columns * v];
        kernels.attend(heads + head * v, query, ownKeys, ownValues, scores, column + 1, k, v, scale);
      }
    }
  }

  /** Rotary positions. @param row number in the layout, which is the column */
  #turn(pass: number, place: Place, row: number, width: number): void {
    const angles = this.#room.weights.angles[pass];
    if (!angles) return;
    const { pairs, cos, sin } = angles;
    const { numbers } = this.#room.weights.kernels;
    for (let i = 0; i < pairs && i < width; i++) {
      const [a, b] = [numbers[place + i]!, numbers[place + pairs + i]!];
      const [c, s] = [cos[row * pairs + i]!, sin[row * pairs + i]!];
      numbers[place + i] = a * c - b * s;
      numbers[place + pairs + i] = b * c + a * s;
    }
  }
}
